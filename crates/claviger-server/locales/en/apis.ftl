## The list of APIs
nav-apis = APIs
apis-what = What keys and tokens are for: each API says what can be permitted on it. They belong to the whole instance.
apis-search = Search by name or identifier
api-new = New API
api-new-what = Declare an API of yours, and what can be permitted on it.
api-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
api-seconds = { $count ->
    [one] 1 second
   *[other] { $count } seconds
}

## One API
api-builtin-what = This is Claviger’s own API. It changes only with Claviger’s version.
api-permissions-none = It declares none yet, so nobody can be permitted anything on it. Declare the first one.
api-actions = Actions
api-identifier = Identifier
api-life = Access tokens count for
api-format = Access tokens are
api-format-jwt = signed JWTs
api-format-opaque = opaque
api-algorithm = Signed with
api-origins = Answers on
api-gateway = Gateways
api-accepts-basic = A credential may come as Authorization: Basic
api-accepts-query = A credential may come in the query parameter { $name }
api-servers = Served by
api-rules = Route rules
api-rules-none = None: gateways that ask by them refuse every request to this API.
api-rules-how = Rules are made from an OpenAPI document, or written one by one. A change replaces all of them.
api-rule-request = Request
api-rule-object = Object
api-rule-any = none: whoever is valid
api-rule-filters = The API keeps to the objects of the credential by itself

## The form of an API
api-change = Edit API
api-change-what = How its tokens are made, and where a gateway finds a credential for it.
api-name-hint = What people call it.
api-identifier-hint = The audience of its tokens: an absolute URI, which stays for good.
api-identifier-wrong = This is no identifier: give an absolute URI without a fragment, such as https://api.acme.test.
api-identifier-taken = Another API has this identifier already, or one that counts as the same.
api-permissions-hint = One per line: its name, and behind a space what it allows.
api-permission-wrong = { $name } is no permission: write it such as invoices:read.
api-permission-taken = Another API declares one of these already. A permission belongs to one API.
api-permission-twice = It is declared already.
api-permission-reserved = What begins with claviger: belongs to Claviger’s own API.
api-tokens = Access tokens
api-tokens-hint = For services that get them from the token endpoint. API keys and personal access tokens are not touched.
api-life-hint = The shorter, the sooner a verifier that never asks sees a change. Those that exist keep their end.
api-life-wrong = Choose one of the lives in the list.
api-format-hint = Who receives a JWT can prove it by itself; of an opaque token only Claviger can tell anything.
api-algorithm-hint = For JWTs. ES256 is right unless your service knows only another.
api-origins-hint = Public origins, one per line. Empty: that of its identifier. Proofs of possession must be for one of them.
api-origin-wrong = { $name } is no origin: write it such as https://api.acme.test. At most 20.
api-gateway-hint = Needed only where a gateway stands before the API.
api-basic-hint = For git, curl -u and other old programs.
api-query = Query parameter
api-query-hint = Addresses end up in logs, so leave this empty unless a program can send a credential in no other way.
api-query-wrong = A query parameter’s name is 1 to 64 letters, digits, _, - or dots.
api-servers-hint = Ids of the service accounts that serve it, one per line. They may see the credentials that are presented to it.
api-server-unknown = There is no service account { $name }.
api-changed-meanwhile = Somebody else changed this API meanwhile. Nothing was saved: look at it again, and save once more.

## Its permissions
api-permission-new = Declare a permission
api-permission-new-what = From then on it can be given by roles, and to keys and tokens.
api-permission-name-hint = What it is about and what is done, such as invoices:read. It stays for good.
api-permission-what = What it allows
api-permission-what-hint = One line, for whoever picks it from a list.
api-permission-change-what = Only what is said of it changes.
api-retire = Retire
api-retire-title = Retire this permission?
api-retire-what = It stops working everywhere at once, and no role and no key gives it any more. Declared again, it must be given anew.
api-retire-rules = Route rules ask for it, so it cannot be retired yet. Change these first:
api-retire-roles = Roles that lose it:
api-retire-no-credential = No key or token names it.
api-retire-credentials = { $count ->
    [one] One key or token names it, and loses it.
   *[other] { $count } keys and tokens name it, and lose it.
}
api-retire-more = Only { $count } keys and tokens were looked at: more may lose it.
api-retire-do = Retire for good
api-delete-title = Delete this API?
api-delete-what = Its permissions stop working everywhere at once, and no token can be had for it any more.
api-delete-permissions = These permissions end:
