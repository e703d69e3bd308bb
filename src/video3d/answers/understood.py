"""Whether a question has no word that the rules of geometry do not know.

Rules look for some words of a question, wherever they stand; what else it says may change what it asks ("how far could the ball be
thrown"). So they are asked only where every word is one that they were written for: those of Video-3D-QA's questions, and what people
say instead of them. Names of things do not count: they are marked in the text.
"""

import re

_WORD = re.compile(r"(?<![a-z0-9'])[a-z][a-z']*")
_WORDS = """
    a about above across action after against ahead along alongside altogether am amid among and another any
    anywhere apart appear appears approximately are area around arrive as at away back bathroom be bedroom been
    before begin behave behind below beneath beside between beyond big bigger biggest blocks both bottom bounds box
    broad bump bumps by call camera can car carries carry cart ceiling centre clear clip close closer closest
    collide collides colliding collision come comes coming compare contact contain containing contains continue
    corridor could count counting crash crashes currently d deflect degrees describes different direction directions
    directly distance distances do does done down drive drives driving drop dropping during each earlier earliest
    encloses end ends enters estimate events face faces facing fall falling falls far farther farthest fast faster
    fastest field filmed find first fit floor following for forward found frame frames free freest from front fronts
    furniture further furthest gap get gets give given go goes going ground hand happen happens has have heading
    heavier height heights here high higher highest hit hits hitting holding holds horizontal hour how i if image
    imagine in inches inside into involving is it item items its itself just keep keeps kitchen land lands lane
    large larger largest last later leaning least leave leaves leaving left leftmost length less lie lies lighter
    likely line living locate long longer look looking looks lower lowest lying m machine make many me measure
    measured meet meets meter meters metre metres middle middles more most motion move movement moves moving much
    must my near nearby nearer nearest new next no not now object objects observer oclock of off office on once one
    onto open opening opposite or order other others our out outside over own pair part pass passage passes path per
    person photo photographer picture pictured piece pieces place placed plays please point pointing points poses
    position positioned probably pushed put rather reach reached reaches reaching reality recording rectangular
    relation relative remain removed respect rest resting rests riding right rightmost road robot rolling room
    roughly run s same say scene second seconds see seen sees separate short shorter shortest show shown shows side
    sides sight size slower slowest smaller smallest someone something somewhere soon space speed speeds spot square
    stack stand standing stands stay still stop stopped stopping stops straight street support supported supporting
    supports suppose take taken taking tall taller tallest than that the their them then there these they thing
    things this through time tip tipping to together top topple toppling total touch touches touching toward towards
    travel turn turned turning turns two under underneath underside until up upon upright us vanish vanishes vehicle
    vehicles video view viewer viewpoint visible volume walk walking wall walls was way ways we weight went were
    what wheelchair when where which whole wide wider width will with within without world would yaw you your z
"""
_KNOWN = frozenset(_WORDS.split())


def words_of(text: str) -> frozenset[str]:
    """The English words of a plain text, possessives without their "'s"."""
    return frozenset(word.removesuffix("'s") for word in _WORD.findall(text))


def is_understood(text: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether every English word of a plain text, in which "#" stands for things, is known.

    Args:
        text: plain.
        also: words that are known besides.

    >>> is_understood("which is nearer to the camera, the # or the #?")
    True
    >>> is_understood("which has less dust on it, the # or the #?")
    False
    """
    return words_of(text) <= _KNOWN | also
