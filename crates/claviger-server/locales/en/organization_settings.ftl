## An organization
nav-settings = Settings
organization-new = New organization
organization-new-what = A customer, or a part of your own company. What is in it is apart from everything else.
organization-change = Edit organization
organization-change-what = What it is called, and what its portal is like.
organization-name-hint = What people call it.
organization-slug = Handle
organization-slug-hint = It stands in the addresses of these pages and on the command line. Another one makes the old addresses lead nowhere.
organization-new-slug-hint = It stands in the addresses of these pages. Empty: made from the name.
organization-slug-wrong = A handle is 1 to 63 of a-z, 0-9 and -, and neither starts nor ends with -.
organization-slug-taken = Another organization has this handle already. Choose another.
organization-external-hint = What your own product calls it. Empty: nothing.
organization-external-wrong = An external id is 1 to 255 visible characters of ASCII.
organization-external-taken = Another organization has this external id already.
organization-portal = Its portal
organization-portal-hint = Where users of your product make tokens of their own.
organization-portal-name = Name of the portal
organization-portal-name-hint = What your product is called. It stands above each page. Empty: the organization’s name.
organization-portal-name-none = the organization’s
organization-portal-color = Colour of the portal
organization-portal-color-hint = # and six hexadecimal digits. Where text would be hard to read, a shade of it is used. Empty: Claviger’s.
organization-portal-color-none = Claviger’s
organization-portal-color-wrong = A colour is # and six hexadecimal digits, such as #3550cb.
organization-origins = Origins of its portal
organization-origins-hint = Where its portal may stand in a frame, and lead back to: https://host, one per line. At most 20.
organization-origins-none = none: its portal stands in no frame
organization-ceiling = What it may use at all
organization-ceiling-hint = One permission per line, or * for all APIs. Empty: the default, which is all APIs and what Claviger offers to one organization. What is taken away here stops working at once for everybody in it.
organization-ceiling-default = The default: all APIs, and what Claviger offers to one organization
organization-of-instance = For administrators of the instance
organization-of-instance-hint = Only who administers the whole instance sees and changes these.
organization-stopped = Nothing in it works for now: it was disabled.

## Stopping and ending it
organization-disable-title = Disable this organization?
organization-disable-what = Nothing in it works any more, until somebody enables it: no key, no token, no sign-in to its pages for its members.
organization-disable-credentials = { $count ->
    [0] No key or token of it works now.
    [one] One key or token stops working.
   *[other] { $count } keys and tokens stop working.
}
organization-delete-title = Delete this organization?
organization-delete-what = Every key and token in it ends for good, and nobody finds it any more. This is final.
organization-delete-credentials = { $count ->
    [0] No key or token of it works now.
    [one] One key or token is revoked for good.
   *[other] { $count } keys and tokens are revoked for good.
}
organization-delete-fleets = It has groups of devices, so it cannot be deleted yet. Delete those first.
organization-is-own = You belong to it yourself, and lose what you hold by that, here and in the whole instance.
