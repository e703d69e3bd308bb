"""Words that are no answer to what was asked are told from those that are one, right or wrong."""

import pytest

from video3d.answers.asked_form import cannot_tell, has_form, offered, wanted_form
from video3d.answers.model_words import fitting, nothing_said

NO_ANSWERS = [
    ("As one looks at the counter, is the dishwasher to the right or to the left of the sink?", "the dishwasher"),
    ("Is the mug on the left of the box or on its right?", "the table"),
    ("Seen from the door, does the lamp stand in front of the sofa or behind it?", "the sofa"),
    ("Which side of the bed is the lamp on, left or right?", "the lamp"),
    ("杯子在盒子的左边还是右边？", "桌子"),
    ("What is the floor under the table: wood or carpet?", "table rests on the floor"),
    ("What lies on the bed: a backpack, a cat or a laptop?", "the bed"),
    ("What stands on top of it: cups, books or plants? Options: cups; books; plants.", "the coffee machine"),
    ("Which is nearer, the bed or the sofa?", "yes"),
    ("沙发上是什么：书包、猫还是电脑？", "一张桌子"),
    ("Does the magazine lie on top of the book or under it?", "yes"),
    ("Is the chair made of wood?", "the chair"),
    ("Are there papers on the table?", "A room with a table, a white door, a ball."),
    ("门是开着的吗？", "白色的门"),
    ("What is the table made of?", "A room with a table, a white door, a white ball."),
    ("What material is the shelf?", "the shelf"),
    ("桌子是什么材料做的？", "房间里有桌子"),
    ("What colour is the game controller on the table?", "table 1.28 m, 50 deg right"),
    ("Which colour are the cupboards?", "A room with a door, a cabinet, a lamp."),
    ("How many mugs stand on the table?", "1.0 m, 1.0 m"),
    ("How many books are there?", "the table"),
    ("What is the headline of the poster?", "A room with a green plant, a trash can, a trash can."),
]
ANSWERS = [
    ("Is the mug to the left or to the right of the box?", "left"),
    ("Is the mug to the left or to the right of the box?", "The mug is to the right of the box."),
    ("杯子在盒子的左边还是右边？", "右边"),
    ("Where is the mug: on the table or on the floor?", "table"),
    ("What lies on the bed: a backpack, a cat or a laptop?", "It is a laptop."),
    ("What is on the desk: a mug or a lamp?", "the cup"),
    ("What stands on it: cups, books or plants?", "a plant"),
    ("Which is nearer, the red bed or the sofa?", "the bed"),
    ("Where is the lamp, in front, behind, left or right?", "behind"),
    ("Is the chair made of wood?", "Yes."),
    ("Is the chair made of wood?", "It is not."),
    ("Does a book lie on it?", "no"),
    ("门是开着的吗？", "是的"),
    ("What is the table made of?", "wood"),
    ("桌子是什么材料做的？", "木头"),
    ("What colour is the sofa?", "dark grey"),
    ("How many mugs are there?", "two"),
    ("How many mugs are there?", "There are 3 mugs."),
    ("Describe the scene in this video.", "A room with a table, a white door, a ball."),
    ("What do you see?", "A room with a table, a white door, a ball."),
    ("视频里有什么？", "房间里有桌子、门和球。"),
    ("Where does the ball roll?", "to the left"),
    ("What is the headline of the poster?", "Robotics"),
]


@pytest.mark.parametrize(("question", "said"), NO_ANSWERS)
def test_what_does_not_answer_is_not_said(question, said):
    assert not has_form(question, said) or fitting(question, said) == ""
    assert fitting(question, said) == ""


@pytest.mark.parametrize(("question", "said"), ANSWERS)
def test_what_answers_stands_right_or_wrong(question, said):
    assert fitting(question, said) == said


def test_what_is_offered():
    assert offered("What colour is it: black, red or green?") == ("black", "red", "green")
    assert offered("Which of these is it? Options: the bed; the sofa.") == ("the bed", "the sofa")
    assert offered("沙发上是什么：书包、猫还是电脑？") == ("书包", "猫", "电脑")
    assert offered("Ground this phrase: the bag. Give a box, or none.") == ()
    assert offered("Is there a chair or a sofa?") == () and offered("") == ()


def test_without_an_answer_it_is_said_what_cannot_be_told():
    facts = ["depth: 2 m"]
    assert nothing_said("What is the table made of?", facts).startswith("I cannot tell what that is made of: ")
    assert nothing_said("Is the table red?", facts).startswith("I cannot tell whether that is so: ")
    assert nothing_said("桌子是左边还是右边？", facts).startswith("不能确定是其中哪一个")
    assert "depth: 2 m" in nothing_said("Tell me more.", facts) and cannot_tell("Tell me more.") == ""
    assert wanted_form("Tell me more.") == "open"
