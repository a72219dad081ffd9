## Approvals
approvals-title = Tokens that wait for an approval
approvals-none = Nothing waits for you.
approvals-more = There are more: these are the newest.
approvals-waiting = { $count ->
    [one] One token waits for your approval.
   *[other] { $count } tokens wait for your approval.
}
approval-title = May this token work?
approval-name = Name
approval-owner = Whose it is
approval-address-claimed = Nobody has shown that this address is theirs: they only accepted an invitation to it.
approval-maker = Made by
approval-by-owner = themselves
approval-by-operator = the operator of this instance
approval-organization = Organization
approval-permissions = What it may do
approval-permissions-none = Nothing
approval-every-api = Everything that its user may do in the APIs, now and later
approval-every-builtin = Everything that its user may do in Claviger, now and later
approval-at-present = At present, that is:
approval-at-present-none = At present, that is nothing.
approval-objects = On which objects
approval-objects-all = All objects
approval-networks = From where
approval-networks-all = From anywhere
approval-starts = From when on
approval-ends = Until
approval-ends-never = It never ends
approval-since = Asked
approval-look-alike = Look closely: another credential of this organization has a name that looks like this one, or the same name and another owner.
approval-reaches-further = Its user administers the whole instance, so only somebody who does the same can decide.
approval-approve = Approve
approval-deny = Deny
approval-approved = Approved by { $name }. There is nothing left to decide.
approval-denied = Denied: it has ended, and never worked.
approval-ended = It has ended before anybody decided, and never worked.
