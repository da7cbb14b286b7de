"""Names that people write instead of an IANA time zone, and the zones that they mean.

A line is `name = zone`, or `name = zone, zone` if the name has several meanings. Tests compare all zones with the
IANA database.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from xnovu_poller.rules.windows_zones import WINDOWS

_ABBREVIATIONS = """
ACDT = Australia/Adelaide
ACST = Australia/Adelaide, Australia/Darwin
ADT = America/Halifax
AEDT = Australia/Sydney
AEST = Australia/Sydney, Australia/Brisbane
AKDT = America/Anchorage
AKST = America/Anchorage
AMT = America/Manaus, Asia/Yerevan
ART = America/Argentina/Buenos_Aires
AST = America/Halifax, America/Puerto_Rico, Asia/Riyadh
AWST = Australia/Perth
BRT = America/Sao_Paulo
BST = Europe/London, Asia/Dhaka
CAT = Africa/Maputo
CDT = America/Chicago, America/Havana
CEDT = Europe/Berlin
CEST = Europe/Berlin
CLT = America/Santiago
COT = America/Bogota
CST = America/Chicago, America/Mexico_City, Asia/Shanghai, America/Havana
CT = America/Chicago
EAT = Africa/Nairobi
EDT = America/New_York
EEST = Europe/Athens, Europe/Kyiv
ET = America/New_York
GST = Asia/Dubai, Atlantic/South_Georgia
HDT = America/Adak
HKT = Asia/Hong_Kong
ICT = Asia/Bangkok
IDT = Asia/Jerusalem
IRST = Asia/Tehran
IST = Asia/Kolkata, Europe/Dublin, Asia/Jerusalem
JST = Asia/Tokyo
KST = Asia/Seoul
MDT = America/Denver
MESZ = Europe/Berlin
MEZ = Europe/Berlin
MMT = Asia/Yangon
MSK = Europe/Moscow
MT = America/Denver
MYT = Asia/Kuala_Lumpur
NDT = America/St_Johns
NPT = Asia/Kathmandu
NST = America/St_Johns
NZDT = Pacific/Auckland
NZST = Pacific/Auckland
PDT = America/Los_Angeles
PHT = Asia/Manila
PKT = Asia/Karachi
PST = America/Los_Angeles
PT = America/Los_Angeles
SAST = Africa/Johannesburg
SGT = Asia/Singapore
SST = Pacific/Pago_Pago, Asia/Singapore
TRT = Europe/Istanbul
WAT = Africa/Lagos
WEST = Europe/Lisbon
WIB = Asia/Jakarta
WIT = Asia/Jayapura
WITA = Asia/Makassar
WST = Australia/Perth, Pacific/Apia
Z = UTC
"""

_PLACES = """
Abu Dhabi = Asia/Dubai
Abuja = Africa/Lagos
Ahmedabad = Asia/Kolkata
Ankara = Europe/Istanbul
Antwerp = Europe/Brussels
Atlanta = America/New_York
Austin = America/Chicago
Austria = Europe/Vienna
Baltimore = America/New_York
Bangalore = Asia/Kolkata
Bangladesh = Asia/Dhaka
Barcelona = Europe/Madrid
Basel = Europe/Zurich
Beijing = Asia/Shanghai
Belgium = Europe/Brussels
Belo Horizonte = America/Sao_Paulo
Bengaluru = Asia/Kolkata
Bern = Europe/Zurich
Birmingham = Europe/London, America/Chicago
Bombay = Asia/Kolkata
Bonn = Europe/Berlin
Bordeaux = Europe/Paris
Boston = America/New_York
Brasilia = America/Sao_Paulo
Busan = Asia/Seoul
Calgary = America/Edmonton
Cape Town = Africa/Johannesburg
Charlotte = America/New_York
Chengdu = Asia/Shanghai
Chennai = Asia/Kolkata
China = Asia/Shanghai
Cincinnati = America/New_York
Cleveland = America/New_York
Cologne = Europe/Berlin
Dalian = Asia/Shanghai
Dallas = America/Chicago
Delhi = Asia/Kolkata
Denmark = Europe/Copenhagen
Doha = Asia/Qatar
Dilli = Asia/Kolkata
Dresden = Europe/Berlin
Durban = Africa/Johannesburg
Dusseldorf = Europe/Berlin
Edinburgh = Europe/London
Finland = Europe/Helsinki
Florence = Europe/Rome
Fort Worth = America/Chicago
France = Europe/Paris
Frankfurt = Europe/Berlin
Fukuoka = Asia/Tokyo
Geneva = Europe/Zurich
Genoa = Europe/Rome
Germany = Europe/Berlin
Glasgow = Europe/London
Goteborg = Europe/Stockholm
Gothenburg = Europe/Stockholm
Greece = Europe/Athens
Guadalajara = America/Mexico_City
Guangzhou = Asia/Shanghai
Gurgaon = Asia/Kolkata
Hamburg = Europe/Berlin
Hangzhou = Asia/Shanghai
Hanoi = Asia/Ho_Chi_Minh
Hanover = Europe/Berlin
Houston = America/Chicago
Hyderabad = Asia/Kolkata, Asia/Karachi
India = Asia/Kolkata
Islamabad = Asia/Karachi
Italy = Europe/Rome
Jaipur = Asia/Kolkata
Jeddah = Asia/Riyadh
Kansas City = America/Chicago
Kenya = Africa/Nairobi
Kobe = Asia/Tokyo
Krakow = Europe/Warsaw
Kyoto = Asia/Tokyo
Lahore = Asia/Karachi
Las Vegas = America/Los_Angeles
Leeds = Europe/London
Leipzig = Europe/Berlin
Lille = Europe/Paris
Liverpool = Europe/London
Lyon = Europe/Paris
Madras = Asia/Kolkata
Malaysia = Asia/Kuala_Lumpur
Malmo = Europe/Stockholm
Manchester = Europe/London
Marseille = Europe/Paris
Mecca = Asia/Riyadh
Medellin = America/Bogota
Miami = America/New_York
Milan = Europe/Rome
Milano = Europe/Rome
Milwaukee = America/Chicago
Minneapolis = America/Chicago
Mumbai = Asia/Kolkata
Munich = Europe/Berlin
Munchen = Europe/Berlin
Nagoya = Asia/Tokyo
Nanjing = Asia/Shanghai
Naples = Europe/Rome
Nashville = America/Chicago
Netherlands = Europe/Amsterdam
New Delhi = Asia/Kolkata
New Orleans = America/Chicago
Nice = Europe/Paris
Nigeria = Africa/Lagos
Noida = Asia/Kolkata
Norway = Europe/Oslo
Nuremberg = Europe/Berlin
Oakland = America/Los_Angeles
Orlando = America/New_York
Osaka = Asia/Tokyo
Ottawa = America/Toronto
Pakistan = Asia/Karachi
Philadelphia = America/New_York
Philippines = Asia/Manila
Pittsburgh = America/New_York
Portland = America/Los_Angeles, America/New_York
Porto = Europe/Lisbon
Porto Alegre = America/Sao_Paulo
Pretoria = Africa/Johannesburg
Pune = Asia/Kolkata
Quebec = America/Toronto
Raleigh = America/New_York
Rio = America/Sao_Paulo
Rio de Janeiro = America/Sao_Paulo
Rotterdam = Europe/Amsterdam
Sacramento = America/Los_Angeles
Saint Petersburg = Europe/Moscow
Salt Lake City = America/Denver
Salvador = America/Bahia
San Antonio = America/Chicago
San Diego = America/Los_Angeles
San Francisco = America/Los_Angeles
San Jose = America/Los_Angeles, America/Costa_Rica
Sapporo = Asia/Tokyo
Seattle = America/Los_Angeles
Seville = Europe/Madrid
Shenzhen = Asia/Shanghai
South Africa = Africa/Johannesburg
South Korea = Asia/Seoul
St Louis = America/Chicago
St Petersburg = Europe/Moscow
Strasbourg = Europe/Paris
Stuttgart = Europe/Berlin
Surabaya = Asia/Jakarta
Suzhou = Asia/Shanghai
Sweden = Europe/Stockholm
Switzerland = Europe/Zurich
Tampa = America/New_York
Thailand = Asia/Bangkok
The Hague = Europe/Amsterdam
Tianjin = Asia/Shanghai
Toulouse = Europe/Paris
Tucson = America/Phoenix
Turin = Europe/Rome
UK = Europe/London
Venice = Europe/Rome
Vietnam = Asia/Ho_Chi_Minh
Washington = America/New_York
Washington DC = America/New_York
Wellington = Pacific/Auckland
Wuhan = Asia/Shanghai
Xi'an = Asia/Shanghai
Yokohama = Asia/Tokyo
"""


def fold(name: str) -> str:
    """Return the letters and digits of a name, without case and accents: so names are compared."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in decomposed if character.isalnum())


@cache
def _read(table: str) -> Mapping[str, tuple[str, ...]]:
    lines = (line.split(" = ") for line in table.strip().splitlines())
    return MappingProxyType({fold(name): tuple(zones.split(", ")) for name, zones in lines})


def find_abbreviation(name: str) -> tuple[str, ...]:
    """Return the zones that an abbreviation such as `PST` may mean; none if it is unknown."""
    return _read(_ABBREVIATIONS).get(fold(name), ())


def find_place(name: str) -> tuple[str, ...]:
    """Return the zones of a place that is no IANA name, such as `Mumbai`; none if it is unknown."""
    return _read(_PLACES).get(fold(name), ())


def find_windows(name: str) -> tuple[str, ...]:
    """Return the zone of a name of Windows, such as `Pacific Standard Time`; none if it is unknown."""
    folded = fold(name)
    for season in ("standardtime", "daylighttime", "summertime"):
        base, found, rest = folded.partition(season)
        if found:
            return _read(WINDOWS).get(base + rest, ())
    return _read(WINDOWS).get(folded, ()) if folded.startswith("russiatimezone") else ()
