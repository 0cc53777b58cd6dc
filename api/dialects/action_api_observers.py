"""Observer links in the action API: the last four of `SubAccount.*`. Whoever has the text of a link
sees its sub-account; deleting the link ends that at once."""

from api.dialects.action_api_calls import Call, Handler, action
from api.dialects.described import Field
from api.mining.observer_links import link_of, names_of, new_token, rights_of
from engine import Kind

REMARK_LENGTH_MAX = 128

USER_NAME = Field("userName", "text", "the sub-account's name, in any case")
LINK_ID = Field("linkId", "integer", "the link's number, as GetObserverList shows it")
RIGHTS_MEANING = "some of `dashboard_observer`, `worker_observer`, `profit_observer`"
REMARK = Field("remark", "text", "at most 128 characters", required=False)

OPERATIONS = (
    action("SubAccount.GetObserverList", "The observer links of a sub-account, oldest first.",
           (USER_NAME,), [{
               "link": "/ob/6d1fa4c0b7e35d2298e4137acb5f0d68",
               "remark": "运维", "linkId": 123, "rights": ["worker_observer"]}]),
    action("SubAccount.AddObserverInfo", "Makes an observer link.",
           (USER_NAME, Field("rights", "texts", RIGHTS_MEANING), REMARK)),
    action("SubAccount.UpdateObserverInfo", "Changes what is given of an observer link.",
           (LINK_ID, Field("rights", "texts", RIGHTS_MEANING, required=False), REMARK)),
    action("SubAccount.DeleteObserverInfo", "Ends an observer link.", (LINK_ID,)),
)


async def show_links(call: Call) -> list[dict]:
    config = call.shell.config
    return [{"link": link_of(config, link.token), "remark": link.remark, "linkId": link.id,
             "rights": names_of(link.rights)}
            for link in call.core.observers.of_account(call.account("userName").number)]


async def add_link(call: Call) -> None:
    account = call.account("userName")
    await call.submit(Kind.ADD_OBSERVER, account=account.number, token=new_token(),
                      rights=rights_of("rights", call.given["rights"]),
                      remark=call.text_or_empty("remark", REMARK_LENGTH_MAX))


async def change_link(call: Call) -> None:
    link_id, rights, remark = call.fields.whole("linkId"), None, None
    if call.has("rights"):
        rights = rights_of("rights", call.given["rights"])
    if call.has("remark"):
        remark = call.text_or_empty("remark", REMARK_LENGTH_MAX)
    await call.submit(Kind.CHANGE_OBSERVER, id=link_id, rights=rights, remark=remark)


async def end_link(call: Call) -> None:
    await call.submit(Kind.REMOVE_OBSERVER, id=call.fields.whole("linkId"))


ACTIONS: dict[str, Handler] = {
    "SubAccount.GetObserverList": show_links,
    "SubAccount.AddObserverInfo": add_link,
    "SubAccount.UpdateObserverInfo": change_link,
    "SubAccount.DeleteObserverInfo": end_link,
}
