"""What a person's or a firm's name looks like, Chinese and English: patterns as in `fact_rules`."""

import re

# The hundred most frequent surnames of China's household register (Ministry of Public Security,
# 2019 report), then frequent double ones.
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方"
    "邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
)
_SURNAME = f"(?:欧阳|司马|上官|诸葛|[{SURNAMES}])"
_HAN = r"[\u4e00-\u9fff]"
# What can stand behind a name that ends a statement; anything else may be the rest of a longer
# word.
_CLOSE = r"(?=[，。！？,.!?；;、\s)）]|$|很高兴|请问|为您|的)"
_CHINESE_TITLE = "先生|女士|小姐|太太|经理|师傅"
# Characters that end a given name as seldom as they stand before a title by themselves (这位先生,
# 的小姐).
_NOT_GIVEN = "位的是和与个名请问找给跟对让被把向叫谢好您你我他她它们吗呢啊吧这那哪老"

_INTRODUCTION = "|".join(
    f"(?<={words})"
    for words in ("我叫", "我是", "姓名", "名叫", "姓名是", "名字是", "名字叫", "姓名:", "姓名为")
)

CHINESE_NAMES = (
    ("name", re.compile(rf"(?P<name>{_SURNAME})(?={_CHINESE_TITLE})"), lambda match: match["name"]),
    (
        "name",
        re.compile(
            rf"(?P<name>{_SURNAME}(?:(?![{_NOT_GIVEN}]){_HAN}){{1,2}}?)(?={_CHINESE_TITLE})"
        ),
        lambda match: match["name"],
    ),
    (
        "name",
        re.compile(
            rf"(?:{_INTRODUCTION})(?P<name>{_SURNAME}(?:(?![{_NOT_GIVEN}]){_HAN}){{1,2}}){_CLOSE}"
        ),
        lambda match: match["name"],
    ),
    ("name", re.compile(rf"(?<=姓)(?P<name>{_SURNAME})(?!{_HAN})"), lambda match: match["name"]),
    (
        "name",
        re.compile(rf"(?<![大微减缩很不太从最较胆])[小阿](?P<name>[{SURNAMES}]){_CLOSE}"),
        lambda match: match["name"],
    ),
)

# Words with a capital that name nobody: days, months (read as dates before), forms of address, what
# support staff write with capitals.
_COMMON_WORDS = """
    im ive ill dont cant i i'm i'll i'd i've a an the and or but so if then when while for from with
    without to of in on at by as is are am was were be been he she it we they you your yours my our
    their his her its this that these those there here what which who whom whose where why how hi
    hello hey dear thanks thank thx regards sincerely sorry please yes yeah yep no nope not ok okay
    sure great good well right welcome bye goodbye congratulations cheers perfect awesome absolutely
    certainly alright also just can could may might will would shall should do does did done have
    has had let lets let's get got go see now today tomorrow yesterday tonight once after before
    again still all any monday tuesday wednesday thursday friday saturday sunday mondays tuesdays
    wednesdays thursdays fridays saturdays sundays mon tue tues wed thu thur thurs fri sat sun
    january february march april june july august september october november december morning
    afternoon evening night new year christmas easter thanksgiving god sir madam ma'am miss mr mrs
    ms dr prof customer customers client clients agent agents user users service services support
    team teams department center centre desk help representative rep manager supervisor specialist
    staff bank banking account accounts card cards credit debit savings checking loan mortgage
    payment payments transfer transfers transaction transactions deposit balance statement
    statements bill billing invoice refund order orders number id pin code password username login
    email e-mail mail phone mobile call calls chat message messages text app apps application
    website site web page online internet wifi wi-fi network router modem computer laptop tablet
    device system server browser settings menu home profile security privacy policy terms conditions
    faq step section tab button click select open tap press go info information details address name
    date birth social number plan premium plus basic standard gold silver platinum business personal
    english spanish french german chinese mandarin american british european asian pm am usa us uk
    eu atm sms otp cvv tv pc usb url pdf
"""
_COMMON = frozenset(_COMMON_WORDS.split())

_WORD = r"[A-Z][a-z]+(?:['’-][A-Z][a-z]+)?"
_ENGLISH_TITLE = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\b\.? (?P<name>(?:{_WORD}|[A-Z])(?: {_WORD}){{0,2}})"
)
_INTRODUCED = re.compile(
    r"(?:(?<=[Mm]y name is )|(?<=[Mm]y name's )|(?<=[Nn]ame: )|(?<=[Cc]all me )|(?<=[Tt]his is"
    r" )|(?<=I'm )|(?<=I am ))"
    rf"(?P<name>{_WORD}(?: {_WORD}){{0,2}})\b"
)
# Mid-sentence only: behind a lower-case word, a digit or a comma. Words in capitals throughout
# (ATM, IMPORTANT) are no names.
_CAPITALISED = re.compile(rf"(?<=[a-z0-9,] )(?P<name>{_WORD}(?: {_WORD}){{0,3}})\b")


def _name(match: re.Match[str]) -> str | None:
    """The words of the name in lower case, without those that are common; None where nothing is
    left.
    """
    words = [
        word for word in match["name"].replace("’", "'").casefold().split() if word not in _COMMON
    ]
    return " ".join(words) or None


ENGLISH_NAMES = (
    ("name", _ENGLISH_TITLE, _name),
    ("name", _INTRODUCED, _name),
    ("name", _CAPITALISED, _name),
)
