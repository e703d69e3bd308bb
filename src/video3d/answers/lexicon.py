"""The words that metric questions are made of, in English and Chinese, and what they stand for.

A closed vocabulary on purpose: a question with a word that is not here (sofa, colour, knowledge) speaks of something
that camera and depth alone do not tell, and must not be taken over.
"""

import re
from dataclasses import dataclass

from video3d.answers.references import frame_mark, point_mark

UNKNOWN, FILLER, FRAME_MARK, POINT_MARK = "UNKNOWN", "FILLER", "FRAME_MARK", "POINT_MARK"

# Concept: words, with _ for the space inside a phrase. A phrase may stand for two concepts.
_ENGLISH = {
    "CAMERA": """camera cameras cam cameraman camera_man camera_operator camera_person camera_holder filmer videographer
        photographer observer viewer viewpoint i we me us my our ego ego_vehicle ego_car lens camera_center cameraperson camcorder
        person_who_recorded one_recording one_who_filmed whoever_holds_the_camera
        vantage_point point_of_view pov camera_position camera_positions optical_centre optical_center
        person_filming person_holding_the_camera person_with_the_camera person_recording person_behind_the_camera
        person_carrying_the_camera one_filming whoever_filmed person_who_filmed person_who_films camera_centre""",
    "FILMED": "filmed shot recorded captured taken held carried holding filming recording_height made",
    "YOU": "you your",
    "HOW_FAR": "how_far how_distant how_close how_near how_remote how_nearby how_much_space how_much_distance",
    "HOW_HIGH": "how_high how_elevated how_high_up how_high_off",
    "CAMERA HEIGHT": "eye_height eye_level camera_height camera_heights camera_elevation",
    "HOW_HIGH LOWEST": "how_low",
    "HOW_TALL": "how_tall",
    "HOW_LONG": "how_long",
    "HOW_WIDE": "how_wide how_broad",
    "HOW_BIG": "how_big how_large how_spacious how_roomy how_small how_sizeable how_vast how_tiny",
    "HOW_DEEP": "how_deep",
    "HOW_FAST": "how_fast how_quickly how_quick how_slow how_slowly how_rapidly",
    "HOW_STEEP": "how_steep how_steeply how_inclined how_slanted how_sloped",
    "HOW_MUCH": "how_much by_how_much",
    "HOW_MANY": "how_many number_of count_of",
    "WHICH": "which what whats",
    "WHERE": "where",
    "WHEN": "when at_what_time at_which_time at_what_moment at_which_moment which_moment what_moment",
    "MODAL": "can could would will should shall may might must",
    "NOT": "not no never none neither nor",
    "DISTANCE": "distance distances spacing separation separates separate gap clearance interval line_of_sight proximity separated",
    "REACH": "reach reaches reached attain attains attained",
    "RANGE": "range ranges",
    "DEPTH": "depth depths z z-depth zdepth z-distance z-value depth_value depth_values",
    "AXIS": """along_the_optical_axis along_the_viewing_axis optical_axis viewing_axis viewing_direction view_direction camera_axis principal_axis z-axis
        along_the_axis perpendicular_distance""",
    "HEIGHT": "height heights elevation elevations altitude altitudes",
    "ABOVE": "above over off up_from",
    "BELOW": "below under beneath",
    "FLOOR": "floor ground floor_level ground_level floor_plane floors ground_plane",
    "CEILING": "ceiling ceilings",
    "ROOM": """room rooms space scene place kitchen bathroom bedroom living_room dining_room meeting_room office hall hallway
        corridor environment apartment house lobby studio classroom lab laboratory interior garage
        lounge suite chamber basement attic workshop store shop library gym warehouse indoor_space""",
    "SIZE": "size sizes dimensions dimension extent extents extend extends",
    "LENGTH": "length lengths long",
    "WIDTH": "width widths breadth wide",
    "AREA": "area floor_area floor_space floorspace square_metres square_meters square_meter square_metre footprint m2",
    "VOLUME": "volume cubic_metres cubic_meters",
    "SPEED": "speed velocity pace speeds velocities",
    "DURATION": "duration durations runtime running_time lasts lasted take takes took",
    "TRAVEL": """travel travels travelled traveled travelling traveling walk walks walked walking go goes went going
        gone cover covers covered covering drive drives drove driven driving ride rides rode traverse traversed
        progress progressed journey
        wander wanders wandered roam roams roamed proceed proceeds proceeded stroll strolls strolled strolling hike hiked
        hiking march marched jog jogged jogging run runs running ran glide glides glided fly flies flew flown flying float
        floated step stepped tour toured""",
    "MOVE": """move moves moved moving movement movements motion motions relocate relocated drift drifts drifted drifting strafe strafes strafed dolly displace displaces
        creep creeps crept sway sways swayed slide slides slid sliding shift shifts shifted translate translates translated translation""",
    "MOVE FORWARD": "advance advances advanced advancing",
    "MOVE BACK": """retreat retreats retreated retreating recede recedes receded receding back_up backs_up backed_up
        back_away backs_away backed_away""",
    "PATH": "path paths trajectory trajectories route track trip",
    "PATH LENGTH": "path_length trajectory_length route_length",
    "DISPLACEMENT": "displacement displaced",
    "RETURN": "return returns returned come_back comes_back came_back",
    "STRAY TRAVEL": "stray strays strayed venture ventures ventured",
    "RISE SINK": "rise_or_sink rises_or_sinks rise_or_fall rises_or_falls",
    "TURN": """turn turned turns turning rotate rotates rotated rotating rotation rotations pan panned panning pans yaw
        yawed yaws swing swings swung swivel swivels swivelled swiveled spin spins spun veer veers steer steers
        heading_change change_in_heading change_of_heading heading_changes
        revolve revolved revolves revolving twist twisted twists twisting pivot pivots pivoted pivoting sweep sweeps swept
        reorient reoriented yaw_change yaw_angle""",
    "CLOCKWISE": "clockwise",
    "COUNTERCLOCKWISE": "counterclockwise anticlockwise counter-clockwise anti-clockwise",
    "TILT": "tilt tilted tilts tilting pitch pitched pitches inclination",
    "ROLL": "roll rolled rolls rolling",
    "LOOK": "look looks looked looking pointed pointing aim aims aimed aiming face faces faced facing angled",
    "RISE": "rise rises rising rose risen climb climbs climbed climbing ascend ascends ascended raised raise",
    "SINK": "descend descends descended descending drop drops dropped lowered",
    "UP": "up upward upwards",
    "DOWN": "down downward downwards downhill",
    "LEFT": "left leftward leftwards left-hand",
    "RIGHT": "right rightward rightwards right-hand",
    "FORWARD": "forward forwards ahead onward",
    "BACK": "backward backwards back reverse",
    "SIDEWAYS": "sideways laterally sideway",
    "DIRECTION": "direction directions way side",
    "ANGLE": "angle angles",
    "NEARER": "nearer closer less_far less_distant shallower less_deep less_far_away",
    "NEAREST": "nearest closest shallowest",
    "FARTHER": "farther further more_distant farther_away deeper more_remote",
    "FARTHEST": "farthest furthest most_distant deepest furthermost",
    "FASTEST": "fastest quickest most_quickly most_rapidly",
    "SLOWEST": "slowest most_slowly",
    "MORE": "larger greater bigger longer more",
    "LESS": "smaller shorter less lesser",
    "FRONT": "in_front in_front_of in_the_foreground",
    "BEHIND": "behind in_the_background",
    "NEAR_WORD": "near close",
    "FAR_WORD": "far distant remote",
    "HIGHER": "higher taller",
    "HIGHEST": "highest",
    "LOWER": "lower",
    "LOWEST": "lowest",
    "ORDER": "rank order sort ordered sorted",
    "MAX": "maximum max maximal greatest largest biggest peak most longest",
    "TOP": "top",
    "MIN": "minimum min minimal smallest least shortest",
    "MEAN": "average avg mean typical typically usually normally",
    "MEDIAN": "median",
    "TOTAL": """total totals sum combined overall altogether whole entire entirely all full complete completely in_all throughout during
        across in_general over_time cumulative over_the_whole over_the_entire over_the_course over_the""",
    "NET": "net",
    "STRAIGHT": "straight_line straight-line as_the_crow_flies euclidean direct directly beeline straight",
    "START": """start started starts starting beginning begin began begins initial origin starting_point first beginnings where_it_started where_it_began
        where_it_starts where_it_begins""",
    "START CAMERA": """where_i_started where_i_began where_we_started where_we_began where_the_camera_started where_the_camera_began
        where_the_camera_starts where_the_camera_begins""",
    "END": "end ended ends ending finish finished finishes final stopped stops last endpoint end_point end_up ends_up ended_up",
    "DIFFERENCE": "difference differences differ change changes changed",
    "BETWEEN": "between",
    "APART": "apart",
    "TOGETHER": "together",
    "STILL": "still static stationary motionless fixed stand_still standing_still stands_still immobile at_rest",
    "HORIZONTAL": "horizontal horizontally level flat levelled",
    "VERTICAL": "vertical vertically upright plumb",
    "SLOPE": "slope sloped slopes sloping slanted inclined incline steep tilted_surface gradient",
    "ORIENTATION": "orientation oriented normal",
    "SURFACE": "surface surfaces plane planes face_of",
    "POINT": """point points pixel pixels spot spots location locations position positions coordinate coordinates pose
        poses same_place same_spot same_position same_point""",
    "THING": "thing things object objects anything something everything item items stuff obstacle obstacles content",
    "FRAME": "frame frames image images picture pictures photo photos view",
    "VIDEO": "video clip recording footage sequence film movie scan walkthrough capture",
    "VISIBLE": """visible see seen shown observed viewed depicted captured_at appears recorded_at measured sampled when_seen if_seen
        as_seen_from as_seen""",
    "CAN_SEE": "can_you_see can_we_see can_i_see can_be_seen can_the_camera_see could_be_seen",
    "FPS": "frame_rate framerate fps frames_per_second",
    "METRES": """meter meters metre metres m centimeter centimeters centimetre centimetres cm millimeters millimetres mm
        feet foot ft inches inch""",
    "DEGREES": "degree degrees deg",
    "SECONDS": "second seconds sec secs s minutes minute",
    "PER": "per",
    "THAN": "than",
    "OR": "or",
    "AND": "and",
    "FROM": "from",
    "TO": "to",
    "OF": "of",
    "ON": "on",
    "AT": "at in located situated shown_at",
    FILLER: """the a an is are was were does do did be been being has have had it its it's that this these there here
        those with by as for into onto inside within each other both two three four one ones respectively please
        approximately approx roughly about exactly precisely exact actual real currently now then value find compute
        calculate determine estimate measure report state tell show say give much also just lying lie lies placed sitting along
        world 3d 2d physical corresponding represented given following marked called labelled labeled named so get gets
        got come comes came out away any all_of through via apart_from you've which's until make makes made_by someone how and/or
        per_se just_now while seem seems using according b c p q p1 p2 point_a point_b anywhere everywhere
        standing answer reply need know want relative_to with_respect_to whichever either some again whose first_one second_one other_one i_mean would_you_say do_you_think you_say in_metres at_all in_meters whatever sit sits
        stand stands stood stored report reports reported read reads having thats whole_of out_of off_of which_one
        amount""",
}

_CHINESE = {
    "CAMERA": "相机 摄像机 摄像头 摄影机 镜头 拍摄者 摄影师 观察者 我 我们 机位",
    "FILMED": "拍摄 拍的 手持",
    "HOW_FAR": "多远 有多远 多近 多少米远",
    "HOW_HIGH": "多高 有多高",
    "HOW_LONG": "多长 有多长 多久 有多久",
    "HOW_WIDE": "多宽 有多宽",
    "HOW_BIG": "多大 有多大",
    "HOW_DEEP": "多深",
    "HOW_FAST": "多快 有多快",
    "HOW_MUCH": "多少 有多少",
    "HOW_MANY": "几 共有多少 多少个",
    "WHICH": "哪个 哪一个 哪 哪一 什么 谁",
    "WHERE": "哪里 哪儿 在哪",
    "WHEN": "什么时候 何时 哪一刻 什么时刻",
    "DISTANCE": "距离 间距 相距 相隔",
    "DEPTH": "深度 深度值",
    "AXIS": "光轴 沿光轴",
    "HEIGHT": "高度 高",
    "ABOVE": "之上 上方 以上",
    "FLOOR": "地面 地板 地",
    "CEILING": "天花板 屋顶 房顶 层高",
    "ROOM": "房间 屋子 室内 场景 厨房 办公室 卧室 客厅 空间 走廊 这个屋",
    "SIZE": "尺寸 大小",
    "LENGTH": "长度 长",
    "WIDTH": "宽度 宽",
    "AREA": "面积 平方米 占地",
    "VOLUME": "体积 容积",
    "SPEED": "速度 速率",
    "DURATION": "时长 持续 长时间",
    "VIDEO": "视频 录像 影片 片子 片段 录制",
    "TRAVEL": "走 走了 行走 行进 走过 经过 前行 行驶",
    "MOVE": "移动 移动了 运动 平移 动",
    "PATH": "路程 路径 轨迹 路线",
    "DISPLACEMENT": "位移",
    "TURN": "转 转动 旋转 转向 转了 转弯 转过 偏航 朝向变化 旋转了 转动了",
    "TURN LEFT": "左转 向左转 往左转",
    "TURN RIGHT": "右转 向右转 往右转",
    "FROM CAMERA": "距离相机 离相机 距相机",
    "CLOCKWISE": "顺时针",
    "COUNTERCLOCKWISE": "逆时针",
    "TILT": "俯仰 倾斜 俯仰角 仰角 俯角 仰 俯",
    "LOOK": "看 朝 对着 朝着",
    "RISE": "上升 升高 升高了 上升了",
    "SINK": "下降 降低 下降了",
    "UP": "向上 往上 上 朝上",
    "DOWN": "向下 往下 下 朝下",
    "LEFT": "左 向左 往左 左边",
    "RIGHT": "右 向右 往右 右边",
    "FORWARD": "向前 往前 前进 前",
    "BACK": "向后 往后 后退 后",
    "DIRECTION": "方向 朝哪边 哪边 往哪边 哪个方向 哪一边",
    "ANGLE": "角度 多少度 度 几度",
    "NEARER": "更近 较近 近",
    "NEAREST": "最近 最近的",
    "FARTHER": "更远 较远 远",
    "FARTHEST": "最远 最远的",
    "HIGHER": "更高 较高",
    "HIGHEST": "最高 最高的",
    "LOWER": "更低 较低 低",
    "LOWEST": "最低 最低的",
    "MAX": "最大",
    "MIN": "最小",
    "MEAN": "平均",
    "MEDIAN": "中位数 中值 中位",
    "TOTAL": "总 总共 一共 整个 全程 总的 共",
    "STRAIGHT": "直线 直线距离",
    "START": "起点 开始 起始 最初 先 最先 首先 出发点 起始点 起始位置",
    "RETURN": "回到 返回 回到了",
    "FASTEST": "最快",
    "SLOWEST": "最慢",
    "END": "终点 结束 最后 最终",
    "DIFFERENCE": "差 相差 变化 之差",
    "BETWEEN": "之间 间",
    "STILL": "静止 不动 固定 静止的",
    "HORIZONTAL": "水平 水平的 平的",
    "VERTICAL": "垂直 竖直 垂直的 竖直的 铅直",
    "SLOPE": "坡度 倾角 斜",
    "ORIENTATION": "法线 法向",
    "SURFACE": "表面 平面 面",
    "POINT": "点 像素 像素点 位置 坐标 处",
    "THING": "东西 物体 物 任何东西 障碍物",
    "FRAME": "帧 画面 图像 图片 照片",
    "VISIBLE": "看到 可见 看见 能看到",
    "FPS": "帧率 每秒多少帧",
    "METRES": "米 厘米",
    "SECONDS": "秒 秒钟",
    "THAN": "比",
    "OR": "还是 或",
    "AND": "和 与 跟 及",
    "FROM": "离 距 从 以 离开",
    "TO": "到 至",
    "OF": "的",
    "ON": "上的",
    "AT": "在 位于 中 里 内 里面",
    FILLER: """了 是 有 吗 呢 请问 请 这 那 个 该 是否 一下 计算 估计 测量 告诉 大约 大概 约 多 哦 啊
        那个 这个 它 其 段 这段 往 向 为 值 两 被 时 得 过 着 共计 能""",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, phrase or marker of a question.

    Attributes:
        concept: what it stands for; ``UNKNOWN`` for a word that is not in the vocabulary.
        text: how it was written.
        place: for a marker the position of its frame or point, else -1.
    """

    concept: str
    text: str
    place: int = -1


def _table(source: dict[str, str]) -> dict[tuple[str, ...], str]:
    return {tuple(word.split("_")): concept for concept, words in source.items() for word in words.split()}


_PHRASES = _table(_ENGLISH)
_LONGEST = max(len(phrase) for phrase in _PHRASES)
_CHARACTERS = {word: concept for concept, words in _CHINESE.items() for word in words.split()}
_LONGEST_CHINESE = max(len(word) for word in _CHARACTERS)
_PIECE = re.compile(r"[\u4e00-\u9fff]+|\d+d\b|[a-z]+(?:[-'][a-z0-9]+)*\d*|\d+(?:\.\d+)?|[\ue000-\uf8ff]|[^\s]")
_NOUNS_IN_LY = "assembly belly butterfly family jelly lily only reply supply trolley july italy fly"
_NO_ADVERBS = frozenset(_NOUNS_IN_LY.split())
_SILENT = set("?.!<>|~*+→\"'`;…。")
_COMMAS = set(",:()[]{}-/=@&")


def tokenize(marked: str) -> list[Token]:
    """Words of a question (see ``references.find_references``) with what they stand for, longest phrases first.

    >>> [token.concept for token in tokenize("how far did the camera travel?") if token.concept != FILLER]
    ['HOW_FAR', 'CAMERA', 'TRAVEL']
    """
    pieces = [p for p in _PIECE.findall(marked) if p not in _SILENT]
    tokens: list[Token] = []
    words: list[str] = []
    for piece in [*pieces, ""]:
        if re.fullmatch(r"\d+d|[a-z]+(?:[-'][a-z0-9]+)*\d*", piece):
            word = re.sub(r"'s$", "", piece)
            words += [word] if (word,) in _PHRASES else word.split("-")
            continue
        tokens += _english(words)
        words = []
        if not piece:
            break
        if (place := frame_mark(piece[0])) is not None:
            tokens.append(Token(FRAME_MARK, piece, place))
        elif (place := point_mark(piece[0])) is not None:
            tokens.append(Token(POINT_MARK, piece, place))
        elif "\u4e00" <= piece[0] <= "\u9fff":
            tokens += _chinese(piece)
        else:
            tokens.append(Token("COMMA" if piece in _COMMAS else UNKNOWN, piece))
    return tokens


def _english(words: list[str]) -> list[Token]:
    tokens, start = [], 0
    while start < len(words):
        for length in range(min(_LONGEST, len(words) - start), 0, -1):
            phrase = tuple(words[start : start + length])
            if phrase in _PHRASES or length == 1:
                adverb = length == 1 and phrase[0].endswith("ly") and phrase[0] not in _NO_ADVERBS
                concepts = _PHRASES.get(phrase, FILLER if adverb else UNKNOWN)
                tokens += [Token(concept, " ".join(phrase)) for concept in concepts.split()]
                start += length
                break
    return tokens


def _chinese(run: str) -> list[Token]:
    tokens, start = [], 0
    while start < len(run):
        for length in range(min(_LONGEST_CHINESE, len(run) - start), 0, -1):
            word = run[start : start + length]
            if word in _CHARACTERS or length == 1:
                tokens += [Token(concept, word) for concept in _CHARACTERS.get(word, UNKNOWN).split()]
                start += length
                break
    return tokens
