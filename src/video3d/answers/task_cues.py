"""The words that tell what a query is after: one table of cues, English and Chinese, each with a weight.

A cue counts once however often it is said. Weights: 5 says it outright ("find a path to"), 4 nearly so, 3 is enough by itself
(``task.ENOUGH``), 2 and 1 only help. A negative weight takes a reading back: "where did I put" is no wish to put anything.
"""

import re
from dataclasses import dataclass

from video3d.answers.results import Task

_AGENT = (
    r"robots?|rovers?|wheelchairs?|vacuum(?: cleaner)?s?|roomba|agvs?|amrs?|drones?|robot dog|quadruped|strollers?|prams?|"
    r"trolleys?|(?:lawn ?)?mowers?|walking frame|mobility scooter"
)
_WHO = r"(?:i|we|you|one|it|they|he|she|people|someone|somebody|a (?:person|visitor|child|guest)|(?:the|my|our|a) \w+)"
_SHALL = r"(?:can|could|should|shall|would|may|might|must|do|to)"
_GO = r"(?:walk|go|get|move|come|head|roll|squeeze|pass|crawl|travel|navigate|fly|steer me|cross)"
_THROUGH = r"(?:to|into|towards?|through|past|around|across|out of|between|by|over to|over there|there|under)"
_LEAD = r"(?:take|guide|lead|bring|route|direct|walk|send|drive) (?:me|us|it|him|her|the \w+|my \w+|a \w+)"
_PUT = (
    r"(?:put|place|set(?: down| up)?|lay|hang|mount|install|store|stick|anchor|attach|position|stand|rest|drop|display|"
    r"spawn|insert|lean|stow|pin)"
)
_A = r"(?:a|an|my|the|this|that|these|some|another|our|his|her|two|three|\d+)"
_ON_WHEELS = (
    r"(?<!toy )(?:cars|trucks?|lorr(?:y|ies)|bus(?:es)?|vans?|motorcycles?|motorbikes?|bicycles?|bikes?|cyclists?|trams?|taxis?|"
    r"vehicles?|scooters?|ambulances?|suvs?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One way of saying what is wanted.

    Attributes:
        task: what it speaks for.
        weight: how much; negative speaks against.
        pattern: of the query as ``references.plain`` gives it (lower case, one kind of quote and space).
    """

    task: Task
    weight: int
    pattern: re.Pattern[str]


_TABLE: dict[Task, dict[int, tuple[str, ...]]] = {
    "navigation": {
        5: (
            r"\bnavigat\w+|\bnavigable\b|\bwalkable\b|\btraversable\b|\bpath ?plan\w*",
            r"\b(?:path|route)s? (?:\w+ ){0,4}?(?:to|from|through|around|between|past|towards?)\b|\bdirections to\b",
            r"导航|怎么走|怎么去|怎么过去|如何(?:走|去|到)|(?:路线|路径).{0,6}(?:到|去)|(?:到|去|往).{1,12}的?(?:路线|路径|路)(?!口|面|灯|上|边)|"
            r"可通行|带我(?:去|到)",
        ),
        4: (
            rf"\b{_GO} (?:\w+ ){{0,3}}?{_THROUGH}\b|\bsafe(?:ly)? (?:to |for \w+ to )?(?:walk|go|step|move)\b|\bwhere (?:\w+ ){{0,5}}?(?:lead|guide|escort)\b|\b{_LEAD} (?:\w+ ){{0,3}}?{_THROUGH}\b",
            rf"\bwhere (?:\w+ ){{0,2}}?{_SHALL} {_WHO} (?:\w+ )?(?:walk|go|move|roam|roll|crawl|pass|clean|drive around)\b",
            r"\b(?:carry|push|wheel|haul|drag|bring) (?:\w+ ){1,7}?to (?:the|my|a|here|there)\b|\b(?:can|could|cannot|can't|not) (?:\w+ ){0,4}?reach\b",
            r"\breach(?:able)? (?:the|a|an|my|that|every|it)\b|\bway (?:out|through|around|past|back|(?:to|from) (?:the|a|my|that))\b",
            r"走(?:到|过去|过|去|得到|得过)(?!了|的距离|多)|前往|到达|抵达|绕(?:过|开)|过得去|能不能过|穿过(?!马路)|通往|避障|"
            r"(?:能|可以|可|会|要|怎么|如何)(?:走|通过|移动)",
        ),
        3: (
            rf"\b(?:{_AGENT})\b",
            r"\bbump(?:ing|s)? into\b|\bcollision[- ]free\b|\bwithout (?:hitting|touching|tripping|colliding|bumping)\b|\btrip(?:ping)? over\b",
            r"\b(?:in|out of) (?:the|my|its|our) way\b|\bblock(?:s|ed|ing)?\b.{0,30}\b(?:way|path|door|doorway|hallway|corridor|exit|aisle)\b",
            r"\bfree (?:floor|space|area)|\bfloor (?:space|area)? ?(?:is|that is)? ?(?:free|clear)\b|\bfit through\b|\bwheels? around\b",
            r"机器人|轮椅|扫地机|吸尘器|婴儿车|无人机|机器狗|避开|挡(?:住|路|道)|绊倒|撞到(?:东西|家具)?",
        ),
        2: (
            r"\bobstacles?\b|\bavoid(?:ing)?\b|\bclutter\w*\b|\baccessib\w+",
            r"障碍|路径|路线|通道",
        ),
        1: (r"\b(?:floor|doorway|aisle|corridor|hallway|exit)\b", r"地面|地板|门口|出口"),
        -4: (
            r"\b(?:did|does|has|have|is|was) (?:the )?(?:camera|video|viewer|person (?:filming|recording))\b|\bcamera(?:'s)? (?:path|moves?|moved|travel\w*|route)\b",
            r"(?:相机|摄像机|镜头|拍摄者).{0,8}(?:走|移动|路径|路程|转)",
            r"\bhow (?:do|does|did|to) \w+ (?:get|come) to (?:know|be|see)\b",
        ),
    },
    "driving": {
        5: (
            r"\bdriv(?:able|eable) (?:area|surface|space|road)|\btime[- ]to[- ]collision\b|\bttc\b|\bself[- ]driving\b|\bego[- ](?:vehicle|motion)\b",
            r"自动驾驶|可行驶|碰撞时间",
        ),
        4: (
            r"\bbrak(?:e|ing|es)\b|\bovertak\w+|\blanes?\b|\bpedestrians?\b|\bcrosswalks?\b|\bzebra crossing|\btraffic\b|\bintersection\b|"
            r"\b(?:high|motor|free)way\b|\bdash ?cam\b|\btailgat\w+|\bfollowing distance\b|\bjunctions?\b|\broundabouts?\b|\boncoming\b|\bspeed limit\b|\bpull over\b|\bjaywalk\w*|\bmerge\b",
            r"车道|刹车|制动|减速|在高速|超车|变道|行人|斑马线|人行横道|红绿灯|交通|车流|前车|后车|来车|会车|追尾|限速|路口|高速公路|靠边停",
        ),
        3: (
            rf"\b{_ON_WHEELS}\b",
            r"(?<!which )\broads?\b(?! signs?)|\bstreets?\b(?! ?(?:signs?|lamps?|lights?|art))|\bturn (?:left|right) at\b|\bhow fast (?:am i|are we) (?:going|driving)\b|\bkerb\b|\bcurb\b|\bsidewalk\b|\bpavement\b",
            r"(?<!toy )\bcar (?:ahead|in front|behind|next to|on|coming|is|was|that|before|approach\w*|beside|to)\b|\b(?:parked|my|our|other|red|white|black|silver|next|leading|lead) car\b(?! keys?)",
            r"马路|公路|道路|路面|街道|街上|汽车|轿车|卡车|货车|公交车?|车辆|自行车|摩托车?|电动车|骑车|开车|驾驶|行驶|前面(?:的|那)?(?:辆|台)?车|(?:几|多少|辆|台)(?:辆|台)?车",
        ),
        2: (
            r"\bcar\b(?! keys?| toy| magazine| wash| seat)(?<!toy car)|\bdriv(?:e|er|ing)\b|\bcolli(?:de|sion)\b|\bcrash\b|\bclosing in\b|\bsteer\w*",
            r"(?<!婴儿)(?<!购物)(?<!小)车(?!钥匙|模)|碰撞|撞上|相撞|超速|车速",
        ),
        1: (r"\bahead\b|\bin front of (?:us|me)\b|\bhow fast\b|\bcross(?:ing)?\b", r"前方|前面|多快"),
        -4: (
            r"\bcar (?:keys?|toy|magazine|seat)\b|\btoy (?:car|truck|bus)\b|\bhard drive\b|\bdrive me (?:crazy|mad)\b|\bflash drive\b",
            r"车钥匙|玩具车|玩具汽车|车模",
        ),
    },
    "placement": {
        5: (
            rf"\bwhere (?:\w+ ){{0,3}}?{_SHALL} (?:{_WHO} )?(?:\w+ )?{_PUT}\b|\b{_SHALL} (?:{_WHO} )?(?:\w+ )?{_PUT} {_A}\b|\bplacement (?:zones?|spots?|areas?)\b",
            r"(?:哪|什么地方|何处).{0,8}(?:放|摆|挂|搁|安装|贴|立)(?!了|着)|(?:放|摆|挂|搁|安装|立)(?:在|到)?(?:哪|什么地方|何处)(?!儿?里?了)|"
            r"(?:适合|可以|能|想|要|帮我).{0,10}(?:放|摆|挂|搁|安放|摆放|放置|安装)",
        ),
        4: (
            rf"^(?:please )?{_PUT} {_A}\b|\b(?:want|like|need|going|able|trying) to {_PUT}\b|\bvirtual \w+|\baugmented reality\b|\bar (?:object|content|app|anchor|model|scene)s?\b|\bholograms?\b",
            r"\b(?:could|can|would|will) (?:a|an|the|my|this) (?:\w+ ){1,2}?(?:sit|stand|rest|lie|hang|balance) (?:on|in|under|beside|over|against)\b|"
            r"\bwhere (?:does|should|would|could) (?:it|this|that|these|they) go\b",
            r"找个?.{0,8}(?:位置|地方)|虚拟|增强现实|全息|锚点|锚定|放置|安放|摆放|放得下|摆得下|搁得下|放下一|空位",
        ),
        3: (
            r"\bfits? (?:on|onto|in|into|under|underneath|beside|next to|between|here|there|somewhere|behind|against)\b",
            rf"\b(?:room|space|spot|place|surface|shelf|corner) (?:\w+ )?(?:for|to put|where) (?:\w+ )?{_A}\b|\bto (?:\w+ )?(?:put|place|hang) (?:it|them|something)\b",
            rf"\b(?:big|large|wide|sturdy|strong) enough (?:for|to (?:hold|take|carry)) {_A}\b|\b(?:room|space|spot) (?:left )?(?:on|in|under|beside|behind|next to) (?:the|my|that|this) (?:\w+ ){{1,3}}?for\b|\bgo on (?:the|that|this|my)\b",
            rf"\b(?:take|hold|carry|accommodate|support|bear) {_A} ",
            r"\bplaceable\b|\banchors?\b|\bwall[- ]mount\w*|\bput it\b",
            r"(?:地方|位置|空间|空地)(?:能|可以|可)?(?:放|摆|挂|搁)|放个|摆个|挂个|挂一|放一|摆一|摆设",
        ),
        2: (
            r"\bflat(?:test)?\b|\b(?:horizontal|level|plane|planar|empty|free|stable) (?:surface|spot|shelf|table|wall)s?\b|\b(?:surface )?planes?\b(?! crash)|\btabletops?\b",
            r"平面|台面|平坦|平整|放|摆|挂",
        ),
        1: (
            r"\b(?:shelf|shelves|table|desk|counter|windowsill|sill|surface|wall|vase|lamp|box|monitor|picture|plant|tv|speaker)s?\b",
            r"架子|搁板|桌上|桌子|桌面|窗台|墙上|花瓶|台灯|箱子|画|电视|合适",
        ),
        -6: (
            r"\b(?:did|had|have|has|was|were) (?:\w+ ){0,3}?(?:put|placed?|hung|stored|left|set|lay|laid)\b",
            r"(?:放|摆|挂|搁)(?:在|到)?(?:哪|什么地方)(?:儿|里)?了|(?:放|摆|挂)(?:着|了)(?:什么|几|多少)",
        ),
    },
    "scene": {
        5: (
            r"\bwhere (?:did|have|has|had) (?:i|we|you|he|she|they)\b",
            r"(?:放|搁|丢|落)(?:在|到)?(?:哪|什么地方)(?:儿|里)?了",
        ),
        4: (
            r"\bwhat colou?rs?\b|\bwhich colou?rs?\b|\bwhat (?:kind|sort|type)s? of (?:room|place|scene|building|area|house|space)\b",
            r"什么颜色|什么房间|什么地方[？?]|是什么房间|哪种房间",
        ),
        3: (
            r"\bdescri\w+|\bsummar\w+|\bcaption\b|\binventory\b|\boverview\b|\bhow many\b|\bcount\b|\blist (?:all|the|every)\b|\btell me about\b|\btranscri\w+|\bidentify\b|\brecogni[sz]e\b",
            r"\bwhat (?:objects?|things?|furniture|items?)\b|\bwhat(?:'s| is| are) (?:this|that|these|there|in|on|inside|it)\b|\bwhat (?:do|can) (?:you|i|we) see\b",
            r"\bcamera\b|\bvideo\b|\brecording\b|\bwho\b",
            r"描述|总结|概括|介绍|清单|列出|有什么|有哪些|几(?:个|把|张|台|只|盏|件|本|扇)|多少(?:个|把|张|台|只|盏|件|本|扇)|是什么|看到(?:了)?什么|相机|摄像机|视频",
        ),
        2: (
            r"\bwhere (?:is|are|was|were)\b|\bhow (?:big|large|far|tall|high|wide)\b|\bwhat (?:is|are|was|were)\b|\bis there\b|\bare there\b|\bwhy\b|\bwhen\b",
            r"在哪|多大|多高|多宽|多长|为什么|有没有|什么时候|多远",
        ),
    },
}

CUES = tuple(
    Cue(task=task, weight=weight, pattern=re.compile(pattern))
    for task, rows in _TABLE.items()
    for weight, patterns in rows.items()
    for pattern in patterns
)
