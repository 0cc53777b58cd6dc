"""Main accounts in the action API: `Account.*`. They are the users of the whole house."""

from api.auth import login as logins
from api.auth.passwords import is_new_password
from api.auth.registration import take_registration
from api.dialects.action_api_calls import Call, Denied, Handler, action
from api.dialects.described import Field
from api.errors import Fault
from api.numbers import InputError
from engine import Kind

EMAIL_LENGTH_MAX = 254
PHONE_LENGTH_MAX = 32
TEXT_LENGTH_MAX = 1024          # of names and passwords, which have limits of their own
GROUP_OPERATOR = 1

ACCOUNT = Field("account", "text", "the main account's name, in any case")
PHONE = Field("phone", "text", "a phone number, 1 to 32 characters")
MAIL = Field("mail", "text", "a mail address, 1 to 254 characters")
NEW_PASSWORD = Field("password", "text", "6 to 128 characters")
BAD_ACCOUNT = "account: must have 3 to 32 of A-Z a-z 0-9 _ -"
BAD_MAIL = "mail: not a mail address"

OPERATIONS = (
    action("Account.Create", "Makes a main account, and its first sub-account of the same name.", (
        Field("account", "text", "3 to 32 of A-Z a-z 0-9 _ -; unique, whatever its case"),
        Field("phone", "text", "a phone number, 1 to 32 characters; needed without a mail",
              required=False),
        Field("mail", "text", "a mail address, 1 to 254 characters; needed without a phone",
              required=False),
        NEW_PASSWORD)),
    action("Account.GetBindInfo", "Phone and mail of a main account, null where it has none.",
           (ACCOUNT,), {"phone": "13811012345", "mail": "hello@example.org"}),
    action("Account.UpdatePhone", "Sets the phone number of a main account.", (ACCOUNT, PHONE)),
    action("Account.UpdateMail", "Sets the mail address of a main account.", (ACCOUNT, MAIL)),
    action("Account.UpdatePassword", "Sets the login password of a main account and ends all its "
                                     "sessions.", (ACCOUNT, NEW_PASSWORD)),
    action("Account.CheckPassword", "Whether that is the password of the main account; guessing "
                                    "is slowed down as at a login.",
           (ACCOUNT, Field("password", "text", "the login password")), True),
    action("Account.QueryUserNameByPhone", "The main accounts that have that phone number.",
           (PHONE,), ["username1", "username2"]),
    action("Account.QueryUserNameByMail", "The main accounts that have that mail address, in any "
                                          "case.", (MAIL,), ["username1", "username2"]),
)
# By action and reason.
OWN_WORDS = {
    ("Account.Create", "bad_username"): BAD_ACCOUNT,
    ("Account.Create", "bad_name"): BAD_ACCOUNT,
    ("Account.Create", "bad_email"): BAD_MAIL,
    ("Account.Create", "user_exists"): "account: this name is taken",
    ("Account.Create", "account_exists"): "account: there is a sub-account of this name",
    ("Account.UpdateMail", "bad_email"): BAD_MAIL,
}


async def create(call: Call) -> None:
    account = call.text("account", TEXT_LENGTH_MAX)
    phone = call.text_or_empty("phone", PHONE_LENGTH_MAX) or None
    mail = call.text_or_empty("mail", EMAIL_LENGTH_MAX) or None
    if phone is None and mail is None:
        raise InputError("phone", "is needed where there is no mail")
    password = _new_password(call)
    take_registration(call.shell, call.address)
    # A name that is taken costs the same as one that is free.
    await call.submit(Kind.ADD_ACCOUNT, username=account, phone=phone, email=mail,
                      password_hash=await call.shell.passwords.hash(password))


async def show_contact(call: Call) -> object:
    user = call.user("account")
    return {"phone": user.phone, "mail": user.email}


async def set_phone(call: Call) -> None:
    phone = call.text("phone", PHONE_LENGTH_MAX)
    await call.submit(Kind.SET_CONTACT, uid=_changed(call).uid, phone=phone)


async def set_mail(call: Call) -> None:
    mail = call.text("mail", EMAIL_LENGTH_MAX)
    await call.submit(Kind.SET_CONTACT, uid=_changed(call).uid, email=mail)


async def set_password(call: Call) -> None:
    uid, password = _changed(call).uid, _new_password(call)
    await call.submit(Kind.SET_PASSWORD, uid=uid,
                      password_hash=await call.shell.passwords.hash(password))


async def check_password(call: Call) -> bool:
    account = call.text("account", TEXT_LENGTH_MAX)
    password = call.text("password", TEXT_LENGTH_MAX)
    try:
        # All users of a website come from its address.
        await logins.check_password(call.shell, account, password, call.address,
                                    counts_address=False)
    except logins.TooManyAttempts:
        raise
    except logins.LoginRefused:
        return False
    return True


async def names_by_phone(call: Call) -> list[str]:
    phone = call.text("phone", PHONE_LENGTH_MAX)
    return _names(call, call.core.contacts.by_phone(call.core.users, phone))


async def names_by_mail(call: Call) -> list[str]:
    mail = call.text("mail", EMAIL_LENGTH_MAX)
    return _names(call, call.core.contacts.by_email(call.core.users, mail))


def _names(call: Call, uids: list[int]) -> list[str]:
    return [call.core.users.get(uid).username for uid in uids]


def _changed(call: Call):
    """The user of the field `account`, who may be changed: a super administrator runs the house,
    and is not one of the pool's to set the password of. Raises Denied."""
    user = call.user("account")
    if user.group == GROUP_OPERATOR:
        raise Denied("no_right", "account: a super administrator is not changed here", Fault.RIGHT)
    return user


def _new_password(call: Call) -> str:
    password = call.text("password", TEXT_LENGTH_MAX)
    if not is_new_password(password):
        raise InputError("password", "must have 6 to 128 characters")
    return password


ACTIONS: dict[str, Handler] = {
    "Account.Create": create,
    "Account.GetBindInfo": show_contact,
    "Account.UpdatePhone": set_phone,
    "Account.UpdateMail": set_mail,
    "Account.UpdatePassword": set_password,
    "Account.CheckPassword": check_password,
    "Account.QueryUserNameByPhone": names_by_phone,
    "Account.QueryUserNameByMail": names_by_mail,
}
