## The rules of an organization
nav-policy = Policy
policy-title = Policy
policy-what = The rules for every key and token of this organization. They hold for what exists, too.
policy-change = Change rules
policy-change-what = Stricter rules hold for what exists, too: you see what they would do before they count.
policy-lives = How long
policy-made = What and how
policy-approvals = Approval
policy-pat-max = Longest life of a personal access token, in days
policy-pat-max-what = Nobody makes one that lasts longer, and those that exist are cut to it. Empty: no bound.
policy-pat-default = Life of a personal access token without a given end, in days
policy-pat-default-what = Counts where whoever makes a token names no end. Empty: the longest that is allowed.
policy-key-max = Longest life of an API key, in days
policy-key-max-what = Keys that exist are cut to it. Empty: no bound.
policy-expiry = Everything must have an end
policy-expiry-what = Nothing is made that never ends, and what never ends now gets an end.
policy-unused = Revoke what nobody used, after days
policy-unused-what = What was neither used nor made for so long is revoked within the hour. Empty: never.
policy-kinds = Kinds that are allowed
policy-kinds-what = What is not allowed is not made any more, and refused where it exists, for as long as the rule stands.
policy-client-secrets = Client secrets
policy-public-keys = Public keys of clients
policy-certificates = Certificates of clients
policy-federations = Identities of outside issuers
policy-wildcard = “Everything” is allowed
policy-wildcard-what = A key or token may follow its owner, in whatever the owner may do. Without it, each must name its permissions.
policy-objects = Members must name objects
policy-objects-what = Tokens of members act only on objects that they name, such as base:app7. Who governs the tokens of others is free of it.
policy-networks = Networks from which anything may be used
policy-networks-what = One per line, such as 203.0.113.0/24. Empty: from anywhere.
policy-approval = Tokens wait for an approval
policy-approval-what = A new personal access token works only once somebody with the right to do so approves it; so does one that gets more than it had.
policy-no-bound = no bound
policy-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}
policy-days-wrong = A number of days is a whole number from 1 to 36500, or nothing.
policy-default-too-long = This is longer than the longest life above.
policy-yes = yes
policy-no = no
policy-all = all
policy-none = none

## What stricter rules do
policy-tighten = Make the rules stricter?
policy-tighten-what = This touches keys and tokens that are in use.
policy-tighten-do = Make them stricter
policy-ends-sooner = { $count ->
    [one] one ends sooner, for good
   *[other] { $count } end sooner, for good
}
policy-disabled = { $count ->
    [one] one is refused for as long as the rule stands
   *[other] { $count } are refused for as long as the rule stands
}
policy-loses-wildcards = { $count ->
    [one] one no longer follows its owner; what it names stays
   *[other] { $count } no longer follow their owners; what they name stays
}
policy-limited-to-networks = { $count ->
    [one] one works from these networks only
   *[other] { $count } work from these networks only
}
policy-revoked = { $count ->
    [one] one is revoked within the hour, for good
   *[other] { $count } are revoked within the hour, for good
}
