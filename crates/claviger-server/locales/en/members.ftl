## The list of members
nav-members = Members
members-what = The people who belong to this organization, and what they may do in it.
members-search = Search by name or address
members-none = Nobody belongs to this organization yet
members-none-what = Invite somebody: you get a link to hand over, and whoever opens it joins with the rights that you chose.
member-holds = Roles and permissions
member-holds-nothing = none
member-since = Member since
member-self = you
member-everywhere = Whole instance

## A member
member-email = E-mail address
member-external = External id
member-tokens = { $count ->
    [0] No token that works
    [one] One token that works
   *[other] { $count } tokens that work
}
member-holds-nothing-what = Nothing: they belong here, and may do nothing yet.
member-may = What they may do here
member-may-what = All roles and permissions together, as far as the organization may use them at all. Their tokens can never do more.
member-reaches-further = This member administers the whole instance, so only somebody who does the same can change or remove them.

## Rights
rights-roles = Roles
rights-roles-hint = A role brings what it holds, now and later. You can give what you hold yourself.
rights-more-roles = Other roles, by name
rights-more-roles-hint = Separated by spaces.
rights-permissions = Single permissions
rights-permissions-hint = For what no role brings. A role is easier to change for everybody later.
rights-too-many = At most 100 roles and 100 single permissions.
rights-role-unknown = There is no role { $name } here. The page of the roles tells which there are.
rights-permission-unknown = No API declares { $name }.

## Changing what somebody may do
member-change = Change rights
member-change-what = What they lose, all their tokens here lose at once.
member-narrow = Take this away?
member-narrow-what = This takes rights away at once, from the member and from all their tokens here.
member-narrow-do = Take it away
member-narrow-no-token = No token of theirs uses any of it.
member-narrow-tokens = { $count ->
    [one] One token can do less from then on.
   *[other] { $count } tokens can do less from then on.
}
member-loses = They lose:
member-gains = They gain:
ask-back = Back to the form

## Removing somebody
member-remove = Remove
member-remove-title = Remove this member?
member-remove-what = They do not belong to { $name } any more. This is final for what they had: an invitation brings them back, and none of it.
member-remove-everywhere = They lose what they hold in the whole instance by this membership.
member-remove-no-token = They have no token here that works.
member-remove-tokens = { $count ->
    [one] One token of theirs is revoked for good.
   *[other] { $count } tokens of theirs are revoked for good.
}
member-remove-do = Remove for good

## Invitations
invitations-title = Invitations
invitations-what = Links that make whoever opens them a member, once.
invitations-none = No invitations
invitations-none-what = None in this state. One that ended is listed for a month.
invitation-new = Invite somebody
invitation-new-what = Claviger sends no mail: you get a link, once, and hand it over yourself.
invitation-make = Make the link
invitation-email = E-mail address
invitation-email-hint = For whom it is. Whoever has the link can use it, so hand it to nobody else.
invitation-email-wrong = This is no e-mail address, such as bob@acme.test.
invitation-already-member = Somebody with this address is a member already. Change their rights instead.
invitation-nothing = Choose at least one role or permission: a member without any can do nothing.
invitation-ends = The link works
invitation-brings = Brings
invitation-open = Open
invitation-accepted = Accepted
invitation-revoked = Withdrawn
invitation-expired = Expired
invitation-any = Any
invitation-made = Your invitation
invitation-made-what = Send it to { $name }. Nobody can show it again; if it gets lost, withdraw it and make another one.
invitation-link-gone = Its link was shown when it was made, and is not shown again. If it got lost, withdraw it and invite them once more.
invitation-withdraw = Withdraw
invitation-withdraw-title = Withdraw this invitation?
invitation-withdraw-what = Its link stops working at once. Whoever opened it before stays a member.

## A link, once
made-link = Link
made-link-once = This link is shown only now.
made-link-sent = I have kept it
