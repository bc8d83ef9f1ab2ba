"""Plausible Indian people, places and goods; state, GST state code and pincode of a place belong together."""

from typing import NamedTuple


class Place(NamedTuple):
    """A town; `gst_code` is the state's number in a GSTIN, `state_code` the two letters printed on a label."""

    city: str
    state: str
    state_code: str
    gst_code: str
    pincode: str


class Goods(NamedTuple):
    """Something a seller lists; prices in rupees with GST, `gst_rate` in percent."""

    sku: str
    fsn: str
    hsn: str
    title: str
    mrp: int
    selling_price: int
    gst_rate: int


PLACES = (
    Place("Mumbai", "Maharashtra", "MH", "27", "400001"),
    Place("Bengaluru", "Karnataka", "KA", "29", "560001"),
    Place("New Delhi", "Delhi", "DL", "07", "110001"),
    Place("Chennai", "Tamil Nadu", "TN", "33", "600017"),
    Place("Jaipur", "Rajasthan", "RJ", "08", "302001"),
    Place("Kochi", "Kerala", "KL", "32", "682001"),
    Place("Kolkata", "West Bengal", "WB", "19", "700016"),
    Place("Hyderabad", "Telangana", "TS", "36", "500001"),
    Place("Ahmedabad", "Gujarat", "GJ", "24", "380001"),
    Place("Lucknow", "Uttar Pradesh", "UP", "09", "226001"),
    Place("Pune", "Maharashtra", "MH", "27", "411001"),
    Place("Bhopal", "Madhya Pradesh", "MP", "23", "462001"),
    Place("Guwahati", "Assam", "AS", "18", "781001"),
    Place("Chandigarh", "Chandigarh", "CH", "04", "160017"),
    Place("Patna", "Bihar", "BR", "10", "800001"),
    Place("Bhubaneswar", "Odisha", "OD", "21", "751001"),
    Place("Gurugram", "Haryana", "HR", "06", "122001"),
    Place("Ludhiana", "Punjab", "PB", "03", "141001"),
)

FIRST_NAMES = (
    *("Aarav", "Aditi", "Ananya", "Arjun", "Deepa", "Farhan", "Gauri", "Harpreet", "Imran", "Isha", "Jyoti", "Karthik"),
    *(
        "Lakshmi",
        "Manish",
        "Meera",
        "Mohammed",
        "Nandini",
        "Naveen",
        "Pooja",
        "Rahul",
        "Ritu",
        "Sandeep",
        "Tanvi",
        "Vikram",
    ),
)
LAST_NAMES = (
    *("Agarwal", "Banerjee", "Chauhan", "D'Souza", "Das", "Gupta", "Iyer", "Jain", "Kaur", "Khan", "Kumar", "Menon"),
    *("Mishra", "Nair", "Patel", "Pillai", "Rao", "Reddy", "Sharma", "Singh", "Thomas", "Verma", "Yadav"),
)
STREETS = (
    *("MG Road", "Station Road", "Gandhi Nagar", "Nehru Street", "Lake View Road", "Temple Street", "Park Lane"),
    *("Church Road", "Sector 14", "Civil Lines", "Market Road", "Ring Road", "Rajendra Nagar", "Model Town"),
)
LANDMARKS = (
    *("Opposite HDFC Bank", "Near Bus Stand", "Behind City Hospital", "Next to Post Office", "Near Central Mall"),
    *("Opposite Metro Station", "Near Government School", ""),
)

GOODS = (
    Goods("TS-BLK-M", "TSHGPZE9RTABCDEF", "6109", "Classic Black T-Shirt - Medium", 999, 899, 5),
    Goods("TS-WHT-L", "TSHGPZE9RTABCDEG", "6109", "Classic White T-Shirt - Large", 999, 849, 5),
    Goods("KURTA-IND-L", "KRTFZW2HNYQGH7DA", "6211", "Indigo Block Print Kurta - Large", 1799, 1249, 5),
    Goods(
        "BEDSHEET-KNG", "BDSGK4Z8YFZPXW3T", "6304", "Jaipuri Cotton King Bedsheet with 2 Pillow Covers", 2499, 1199, 5
    ),
    Goods("BOTTLE-1L-SS", "BOTFTVYZ9XHHCQ2N", "7323", "Stainless Steel Water Bottle 1 L", 799, 449, 5),
    Goods("PLANNER-A5", "DIAGHJ7S3YHQZTVK", "4820", "Undated A5 Weekly Planner, Hard Cover, 128 Pages", 599, 386, 18),
    Goods("LAMP-LED-01", "LMPG2ZFHYHXUQ8RB", "9405", "LED Study Lamp with USB Charging", 1299, 699, 18),
    Goods("CABLE-C-2M", "CBLGZ5HQ2VNKFYPD", "8544", "USB Type-C Braided Cable 2 m", 699, 249, 18),
    Goods("TAWA-28", "PPTFS3MYHBZHGX6W", "7615", "Non-stick Dosa Tawa 28 cm", 1495, 879, 5),
    Goods("SPICE-BOX-7", "CTRGQH2YNKZFP4SV", "7323", "Masala Dabba, 7 Containers with Spoon", 1199, 649, 5),
)
