"""The vocabulary's table: one category a line, read by ``video3d.vocabulary``.

A line is: name (/ plural where the rule does not give it) | Chinese / measure word (个 where none is given) | kind, then ``front``
where people agree on a front and ``mass`` where it is not counted | other names, of people and of data sets, with commas between.
A line that begins with | goes on with other names.
"""

TABLE = """
chair | 椅子/把 | furniture front | dining chair, kitchen chair, cafe chair, folding chair, deck chair, side chair, seating
armchair | 扶手椅/把 | furniture front | arm chair, lounge chair, recliner, recliner chair, easy chair, sofa chair, lounger
office chair | 办公椅/把 | furniture front | desk chair, swivel chair, computer chair
high chair | 儿童餐椅/把 | furniture front | baby high chair, highchair
stool | 凳子/张 | furniture | bar stool, step stool, foot stool, bar chair
ottoman | 脚凳/张 | furniture | puff, pouf, footrest, foot rest, footstool, hassock
bench/benches | 长椅/张 | furniture | piano bench, park bench
sofa | 沙发/张 | furniture front | couch, futon couch, settee, loveseat, love seat, convertible sofa, sofa bed
bed | 床/张 | furniture | day bed, child bed, bunk bed, iron bed, loft bed, mezzanine bed, double bed, single bed
crib | 婴儿床/张 | furniture | baby bed, cot, bassinet, cradle
table | 桌子/张 | furniture | dining table, kitchen table, round table, glass table, folding table, conference table, foosball table
coffee table | 茶几/张 | furniture | low table, tea table
side table | 边桌/张 | furniture | end table, console table
nightstand | 床头柜/个 | furniture front | bedside table, night stand, night table, bedside cabinet
desk | 书桌/张 | furniture | office table, writing desk, computer desk, office desk, wooden desk
dressing table | 梳妆台/张 | furniture front | vanity table, makeup table
changing table | 尿布台/张 | furniture front | baby changing station
workbench/workbenches | 工作台/张 | furniture | work bench, technical table
pool table | 台球桌/张 | furniture | billiard table
table tennis table | 乒乓球桌/张 | furniture | ping pong table, table tennis
football table | 桌上足球/张 | furniture | table football, foosball
bookcase | 书架/个 | furniture front | bookshelf, bookshelves, book shelf, book rack, full bookcase
shelf/shelves | 置物架/个 | furniture front | shelves, shelving, storage shelf, rack, storage rack, shelving unit, vertical shelves
cabinet | 柜子/个 | furniture front | cupboard, kitchen cabinet, kitchen cabinets, storage cabinet, bathroom cabinet, cabinets, sideboard
| lower cabinet, high cabinet, corner cabinet, drawers cabinet, glass door cabinet, credenza, locker, media cabinet, storage unit
wall cabinet | 吊柜/个 | furniture front | upper cabinet, hanging cabinet, upper shelves cabinet, medicine cabinet
dresser | 抽屉柜/个 | furniture front | chest of drawers, drawer, drawers, dresser with drawers, bureau
wardrobe | 衣柜/个 | furniture front | closet, wardrobe closet, armoire, wardrobe cabinet, closets
filing cabinet | 文件柜/个 | furniture front | file cabinet, file cabinets, file drawer
tv stand | 电视柜/个 | furniture front | tvstand, television cabinet, television stand, entertainment center, media console
chest | 木箱/个 | furniture | trunk, treasure chest, storage chest, safe chest, trunck
safe | 保险箱/个 | furniture front | safe box, strongbox, locked locker
counter | 台面/个 | furniture | countertop, counter top, kitchen counter, bathroom counter, kitchen countertop
kitchen island | 中岛台/个 | furniture | island, island extension
sink | 水槽/个 | furniture front | washbasin, basin, lavatory, wash basin, bathroom sink, kitchen sink, sink basin, sink cabinet
bathroom vanity/bathroom vanities | 浴室柜/个 | furniture front | vanity, double vanity, modern vanity
toilet | 马桶/个 | furniture front | toilets unit, toilet bowl, wc
bidet | 坐浴盆/个 | furniture | bidets
urinal | 小便池/个 | furniture front | urinals
bathtub | 浴缸/个 | furniture | bath, tub, bath tub, bathtub basin, corner bathtub, island bath, jacuzzi
shower | 淋浴/个 | furniture | shower stall, shower head, shower head and faucet, showerhead, shower floor, shower walls, shower door
refrigerator | 冰箱/台 | furniture front | fridge, large fridge, mini fridge, freezer fridge
freezer | 冰柜/台 | furniture front | chest freezer
oven | 烤箱/台 | furniture front | double oven, small oven, toaster oven
stove | 炉灶/台 | furniture front | cooktop, cooker, stove burner, range, large stove, propane stove, induction cooker, gas stove
range hood | 抽油烟机/台 | furniture | hood, kitchen hood, exhaust hood
dishwasher | 洗碗机/台 | furniture front | dish washer
washing machine | 洗衣机/台 | furniture front | clothes washing machine, washer, washing machines, laundry machine
dryer | 烘干机/台 | furniture front | dryer machine, clothes dryer, clothes dryers
water heater | 热水器/台 | furniture | boiler, electric water heater, gas water heater, furnace
water cooler | 饮水机/台 | furniture front | water dispenser, drinking fountain
radiator | 暖气片/片 | furniture | heater, baseboard heater
air conditioner | 空调/台 | furniture front | air conditioning, ac unit, window air conditioner
fireplace | 壁炉/个 | furniture front | wood stove
piano | 钢琴/架 | furniture front | upright piano, grand piano
treadmill | 跑步机/台 | furniture | running machine
exercise machine | 健身器材/台 | furniture | exercise bike, indoor bike, elliptical, abdominal bench, fitness tower, exercise equipment
wheelchair | 轮椅/辆 | furniture front | wheel chair
stroller | 婴儿车/辆 | furniture front | baby carriage, pushchair, human.pedestrian.stroller
floor lamp | 落地灯/盏 | furniture | standing lamp, standard lamp
rug | 地毯/块 | furniture | carpet, oriental rug, round carpet, area rug, floor mat, rugs
mat | 垫子/块 | furniture | bathmat, bath mat, doormat, door mat, yoga mat, tatami
folding screen | 屏风/扇 | furniture | room divider, divider, partition
coat rack | 衣帽架/个 | furniture | coat stand, clothes rack, clothes horse, drying rack, clothes drying rack, wall hanger
ladder | 梯子/架 | furniture | step ladder, stepladder, small step ladder
aquarium | 鱼缸/个 | furniture | fish tank
whiteboard | 白板/块 | furniture front | white board, blackboard, chalkboard
trash can | 垃圾桶/个 | furniture | trashcan, dustbin, garbage can, trash bin, recycling bin, wastebasket, waste basket, rubbish bin, bin
| garbage, bullet trash can, garbagecan, park trashcan, residential trashcan
laundry basket | 脏衣篮/个 | furniture | clothes basket, laundry hamper, hamper
barrel | 木桶/个 | furniture | keg, drum
crate | 板条箱/个 | furniture | wooden crate, ammo box
tv | 电视/台 | prop front | television, tv 16:9, tv monitor, flat tv, wall flat tv, led tv, tvmonitor, tv set
monitor | 显示器/台 | prop front | computer monitor, screen, display, desktop screen
computer | 电脑/台 | prop front | desktop computer, desktop, pc, computer tower, imac, apple imac
laptop | 笔记本电脑/台 | prop front | laptop computer, notebook computer, apple ibook
keyboard | 键盘/个 | prop | computer keyboard, midi keyboard
computer mouse/computer mice | 鼠标/个 | prop | mouse
printer | 打印机/台 | prop front | inkjet printer, copier, photocopier, inkjet printer and scanner
projector | 投影仪/台 | prop front | video projector
telephone | 电话机/部 | prop | phone, wireless phone, landline
mobile phone | 手机/部 | prop | cell phone, cellphone, smartphone, apple iphone, mobile
tablet | 平板电脑/台 | prop | ipad, tablet computer
radio | 收音机/台 | prop front | clock radio
stereo | 音响/套 | prop front | mini stereo, stereo amplifier, mp3 station, mp3 base, amplifier
speaker | 音箱/个 | prop front | loudspeaker, speakers, loud speaker
headphones/pairs of headphones | 耳机/副 | prop | headset, earphones
dvd player | 影碟机/台 | prop front | dvd, vcr
game console | 游戏机/台 | prop front | playstation, xbox
game controller | 游戏手柄/个 | prop | joystick, gamepad
remote control | 遥控器/个 | prop | remote, tv remote control
camera | 相机/台 | prop front | reflex camera, photo camera
lamp | 台灯/盏 | prop | table lamp, desk lamp, little lamp, bedside lamp, reading lamp
ceiling lamp | 吊灯/盏 | prop | pendant lamp, hanging light, ceiling light, chandelier, hanging lamp, chandelier lamp, fluorescent light
wall lamp | 壁灯/盏 | prop | wall light, sconce, wall spotlight, porch light
lantern | 灯笼/盏 | prop | stone lantern, japanese lantern, camping lamp
candle | 蜡烛/根 | prop | candles, candlestick
flashlight | 手电筒/支 | prop | torch
fan | 风扇/台 | prop front | table fan, rigged fan, electric fan
ceiling fan | 吊扇/台 | prop | overhead fan
clock | 时钟/个 | prop front | wall clock, alarm clock, cuckoo clock
mirror | 镜子/面 | prop front | wall mirror, bathroom mirror
picture | 画/幅 | prop front | painting, frame, photo frame, picture frame, poster, photo, pictures, wall art
curtain | 窗帘/幅 | prop | curtains, drapes, drape, shower curtain
blinds/sets of blinds | 百叶窗/副 | prop | blind, window blind, window blinds, window shade
potted plant | 盆栽/盆 | plant | plant, indoor plant, house plant, houseplant, cactus, bonsai tree, flowerpot, little plant, plants, yucca
flowers/bunches of flowers | 花/束 | plant | flower, bouquet, tulips, orchids, white lily, roses
christmas tree | 圣诞树/棵 | plant | xmas tree
cup | 杯子/个 | prop | mug, coffee cup, coffee mug, plastic cup, tea cup, teacup, paper cup
glass/glasses | 玻璃杯/个 | prop | wine glass, wineglass, beer glass, cocktail glass, drinking glass
bottle | 瓶子/个 | prop | wine bottle, beer bottle, water bottle, medicine bottle, yogurt bottle, baby bottle, flacon, spray bottle
| soap bottle, bottles, spraybottle
bowl | 碗/个 | prop | bowls, mixing bowl
fruit bowl | 果盘/个 | prop | bowl with fruits, bowl of fruit
plate | 盘子/个 | prop | dish, oval plate, plates, dishes
pot | 锅/口 | prop | cooking pot, saucepan, stockpot
pan | 平底锅/口 | prop | frying pan, large pan, skillet
kettle | 水壶/个 | prop | teakettle, tea kettle, espresso kettle, electric kettle
teapot | 茶壶/个 | prop | tea pot, coffee press
jar | 罐子/个 | prop | old jar, pottery, pitcher, jug, creamer, cosmetics pot
vase | 花瓶/个 | prop | vases, urn
tray | 托盘/个 | prop | serving tray, sushi tray, letter tray
cutting board | 砧板/块 | prop | chopping board
knife/knives | 刀/把 | prop | kitchen knife, butter knife
knife block | 刀架/个 | prop | knife stand
fork | 叉子/把 | prop | forks
spoon | 勺子/把 | prop | spoons, ladle
coffee maker | 咖啡机/台 | prop front | coffee machine, coffee brewer, coffeemaker, espresso machine
toaster | 烤面包机/台 | prop | bread toaster
microwave | 微波炉/台 | prop front | microwave oven
blender | 搅拌机/台 | prop | food processor
mixer | 厨师机/台 | prop | stand mixer, kitchen mixer
scale | 秤/台 | prop | kitchen scale, weighing scale, electronic scale
milk carton | 牛奶盒/个 | prop | milk, carton
salt shaker | 盐瓶/个 | prop | saltshaker, pepper shaker, peppershaker
bread | 面包/块 | prop mass | loaf, baguette, loaf of bread
cake | 蛋糕/块 | prop | birthday cake, cup cake, cupcake
hamburger | 汉堡/个 | prop | burger
hot dog | 热狗/个 | prop | hotdog
apple | 苹果/个 | prop | apples
box/boxes | 盒子/个 | prop | cardboard box, boxes, carton box, gift box, storage box, container, medicine box, open cardboard box
basket | 篮子/个 | prop | shopping basket, wicker basket, storage basket
bucket | 水桶/个 | prop | pail
gift | 礼物/份 | prop | present
book | 书/本 | prop | books, notebook, textbook
newspaper | 报纸/份 | prop | magazine, newspapers
calendar | 日历/本 | prop | kalender
pen | 笔/支 | prop | pencil, text marker, marker
pen holder | 笔筒/个 | prop | penbox, pencil cup, pencil holder
scissors/pairs of scissors | 剪刀/把 | prop | pair of scissors
ruler | 尺子/把 | prop | rulers
stapler | 订书机/个 | prop | staplers
pillow | 枕头/个 | prop | cushion, pillows, couch cushions
blanket | 毯子/条 | prop | comforter, quilt, duvet
towel | 毛巾/条 | prop | hand towel, bath towel, towels, folded clothes
towel rack | 毛巾架/个 | prop | towel rail, towel holder, towel bar
toilet paper | 卫生纸/卷 | prop mass | toilet paper dispenser, toilet paper roll
paper towels/rolls of paper towels | 厨房纸/卷 | prop | paper towel holder, paper towel, paper towel roll
toilet brush/toilet brushes | 马桶刷/把 | prop | bathroom brush
soap | 肥皂/块 | prop mass | soap bar, bar of soap
sponge | 海绵/块 | prop | dish sponge, dishsponge
bag | 包/个 | prop | handbag, purse, tote bag, shopping bag, paper bag, plastic bag, duffel bag
backpack | 背包/个 | prop | rucksack, schoolbag
suitcase | 行李箱/个 | prop | luggage, briefcase, travel case
hat | 帽子/顶 | prop | cap
helmet | 头盔/个 | prop | motorcycle helmet
shoes/pairs of shoes | 鞋/双 | prop | shoe, sneakers, slippers, woman shoes, boots, mocassin
umbrella | 雨伞/把 | prop | folded umbrella
parasol | 遮阳伞/把 | prop | beach umbrella, sun umbrella
teddy bear | 泰迪熊/个 | prop front | teddy, stuffed animal, plush toy, teddybear
doll | 玩偶/个 | prop front | dolls
dollhouse | 玩具屋/个 | prop front | doll house
rocking horse | 摇摇马/个 | prop front | toy horse
toy car | 玩具车/辆 | prop front | car model, model car
toy train | 玩具火车/辆 | prop front | model train
toy plane | 玩具飞机/架 | prop front | biplane, model plane
rubik's cube | 魔方/个 | prop | rubiks cube, rubik cube
chessboard | 棋盘/个 | prop | chess board, chess set
basketball | 篮球/个 | prop | basket ball
soccer ball | 足球/个 | prop | football, soccerball
tennis racket | 网球拍/支 | prop | racket, tennis racquet
table tennis bat | 乒乓球拍/支 | prop | ping pong paddle
skateboard | 滑板/块 | prop | skate board
guitar | 吉他/把 | prop front | electric guitar, acoustic guitar
xylophone | 木琴/台 | prop | toy xylophone
hammer | 锤子/把 | prop | mallet
drill | 电钻/把 | prop | power drill, electric drill
screwdriver | 螺丝刀/把 | prop | screw driver
saw | 锯子/把 | prop | hand saw
shovel | 铲子/把 | prop | spade
broom | 扫帚/把 | prop | brooms
fire extinguisher | 灭火器/个 | prop | extinguisher
ball | 球/个 | experiment | balls, sphere, sports ball
block | 积木/块 | experiment | wooden block, toy block, cube, building block
ramp | 斜坡/个 | experiment | inclined plane, slope
plank | 木板/块 | experiment | board, wooden board, wood plank
cylinder | 圆柱/个 | experiment | roller, disc
stair/stairs | 台阶/级 | experiment | step, steps
domino/dominoes | 多米诺骨牌/块 | experiment | domino tile
cart | 小车/辆 | experiment front | trolley, shopping cart, dolly, pushcart
door | 门/扇 | structure | doors, exterior door, double door, glass door, doorframe, doorway, elevator door, garage door
window | 窗户/扇 | structure | windows, sliding window, french window, double hung window
staircase | 楼梯/段 | structure | stairway, spiral staircase, stairwell, escalator
railing | 栏杆/道 | structure | banister, handrail, iron railing, pedestrian railing, guardrail
column | 柱子/根 | structure | pillar, porch column
wall | 墙/面 | structure mass | walls, wall panel
ceiling | 天花板/块 | structure mass | roof
floor | 地板/块 | structure mass | floors, ground
building | 建筑/栋 | structure | house, tower, facade, skyscraper
fence | 围栏/道 | structure | fences, garden fence
barrier | 护栏/个 | structure | movable_object.barrier, jersey barrier, road barrier
bollard | 隔离桩/根 | structure | traffic bollard
fountain | 喷泉/座 | structure | water fountain
bus stop | 公交站/个 | structure | bus shelter, bus station
car | 汽车/辆 | vehicle front | vehicle.car, sedan, suv, automobile, hatchback, coupe, taxi, passenger car, smart car, convertible
| vehicle.emergency.police, police car
bus/buses | 公交车/辆 | vehicle front | vehicle.bus.rigid, vehicle.bus.bendy, city bus, coach, school bus
truck | 卡车/辆 | vehicle front | vehicle.truck, lorry, pickup truck, pickup, fire truck
van | 面包车/辆 | vehicle front | minivan, delivery van, camper van, vehicle.emergency.ambulance, ambulance
trailer | 拖车/辆 | vehicle | vehicle.trailer, caravan
construction vehicle | 工程车/辆 | vehicle front | vehicle.construction, fork lift, forklift, excavator, bulldozer
motorcycle | 摩托车/辆 | vehicle front | vehicle.motorcycle, motorbike, motor bike, moped, motor scooter
bicycle | 自行车/辆 | vehicle front | vehicle.bicycle, bike, cycle, push bike
kick scooter | 滑板车/辆 | vehicle front | scooter, human.pedestrian.personal_mobility, e-scooter
tricycle | 三轮车/辆 | vehicle front | trike
tram | 有轨电车/辆 | vehicle | streetcar, trolleybus
train | 火车/列 | vehicle front | railway, locomotive, subway
boat | 船/艘 | vehicle front | rowboat, ship
airplane | 飞机/架 | vehicle front | aeroplane, aircraft
person/people | 人/个 | person front | pedestrian, human, man, woman, people, male, female, boy, girl, child, adult, human.pedestrian.adult
| human.pedestrian.child, human.pedestrian.construction_worker, human.pedestrian.police_officer, human.pedestrian.wheelchair
| person_sitting, sitting person, persons, character
cyclist | 骑车人/个 | person front | rider, bicyclist, bicycle rider
dog | 狗/只 | animal front | bulldog, puppy
cat | 猫/只 | animal front | siamese cat, kitten
horse | 马/匹 | animal front | pony
rabbit | 兔子/只 | animal front | bunny
chicken | 鸡/只 | animal front | hen, rooster
bird | 鸟/只 | animal front | pigeon
cow | 牛/头 | animal front | cattle
tree | 树/棵 | plant | palm tree, pine, palm, trees, maple, poplar, cypress, trunk of tree
bush/bushes | 灌木/丛 | plant | shrub, shrubs
hedge | 树篱/道 | plant | high hedge, hedges
rock | 石头/块 | plant | stone, boulder
traffic light | 红绿灯/个 | sign front | stoplight, traffic signal, stop light, traffic lights
traffic sign | 交通标志/个 | sign front | road sign, street sign, stop sign, sign, yield sign
traffic cone | 交通锥/个 | sign | cone, movable_object.trafficcone, trafficcone, safety cone
crossing | 人行横道/条 | sign | crosswalk, pedestrian crossing, zebra crossing
street lamp | 路灯/盏 | sign | street light, lamp post, lamppost, streetlight, classic lamppost, park light, light pole
fire hydrant | 消防栓/个 | sign | hydrant
mailbox/mailboxes | 邮箱/个 | sign front | letter box, letters box, post box, postbox
parking meter | 停车计时器/个 | sign front | parkingmeter
pole | 杆子/根 | sign | post, utility pole, telephone pole
"""
