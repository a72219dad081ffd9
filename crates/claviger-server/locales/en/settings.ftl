## The instance itself
settings-title = Settings
settings-what = This instance itself. What stands in its configuration is changed there, and counts after a restart.
settings-keys = Signing keys
settings-keys-what = They sign access tokens. The next one is published before it signs, and the one before it until its last token has ended.
settings-keys-every = { $count ->
    [one] By itself, the next one signs every day.
   *[other] By itself, the next one signs every { $count } days.
}
settings-keys-at = Everybody who verifies fetches them from
key-announced = Next
key-active = Signs
key-retiring = Retiring
key-removed = Gone
key-next = The next key is published
key-published-at = published
key-signs-at = signs from
key-retires-at = signs until
key-removed-at = gone
rotate-do = Rotate now
rotate-title = Rotate the signing keys?
rotate-what = A new key is published now and signs in ten minutes, when everybody who verifies has fetched it. The one before stays published until its last token has ended.
rotate-after = No token stops working, and nobody has to do anything.
rotate-which = Which keys
rotate-all = All of them
rotate-in-progress = The next key is published already and signs soon, so nothing was changed. If a key may be in other hands, do not wait for it: replace the keys at once.
replace-do = Replace at once
replace-title = Replace the signing keys at once?
replace-what = Every access token that the keys before have signed is refused at once, here and wherever tokens are verified with fresh keys. This is final, and meant for a key that somebody else may have.
replace-after = Clients get new tokens with their secrets, as they do when a token ends. API keys and personal access tokens go on working.
settings-brand = How credentials begin
settings-brand-what = New keys and tokens begin with { $brand }_, so that your customers see your name, and scanners find what has leaked.
settings-brand-former = Accepted as well, for those that were handed out before:
settings-brand-change = The settings “brand” and “former_brands” (CLAVIGER_BRAND, CLAVIGER_FORMER_BRANDS) change it. Choose it before you hand out keys: those that exist keep their text, and work only while their beginning is listed.
settings-registration = Clients that register themselves
settings-registration-what = A client registers with a credential that holds claviger:registrations:write, and gets at most the permissions which that one lists. As long as nobody has such a credential, nobody registers.
settings-registration-most = { $count ->
    [one] An organization has at most one such client at a time.
   *[other] An organization has at most { $count } such clients at a time.
}
settings-registration-at = They register at
settings-facts = For support
settings-facts-what = What somebody who helps you asks first. There is no secret in it.
fact-version = Version
fact-database = Database, and its schema
fact-public = Public address
fact-mtls = Address for client certificates
fact-internal = Internal listener
fact-internal-hosts = Names of the internal listener
fact-internal-token = Internal token
fact-proxies = Trusted proxies
fact-redis = Redis for exact limits
fact-provider = Outside sign-in
fact-traces = Traces
fact-staleness = Answers from memory without the change log
fact-none = none
fact-set = set
fact-not-set = not set
