## The list of roles
nav-roles = Roles
roles-what = Named sets of permissions. Change a role, and everybody who has it gains or loses at once.
role-builtin = Built in
role-of-instance = Whole instance
role-new = New role
role-new-what = It can be given in this organization only.
role-new-everywhere = New role of the instance
role-new-everywhere-what = It can be given in every organization.

## One role
role-builtin-what = Claviger brings this role. It changes only with Claviger’s version; make one of your own for anything else.
role-empty = It holds nothing, and gives nothing.
role-holders = Who has it here
role-holders-none = Nobody here has it. Give it on the page of a member.
role-holder-kind = What it is
role-holder-member = Member
role-since = Since

## The form of a role
role-change = Edit role
role-change-what = Everybody who has it gains or loses at once, and so do their keys and tokens.
role-name-hint = Small letters, digits, - and _, such as invoice-reader.
role-name-wrong = A role’s name is 1 to 63 of a-z, 0-9, - and _, and starts with a letter or digit.
role-name-taken = Another role has this name already, here or in the whole instance. Choose another.
role-description = What it is for
role-description-hint = One line, for whoever gives it.
role-description-wrong = One line of at most 500 characters.
role-permissions-hint = You can put in what you hold yourself.
role-credentials-of-others = Somebody who has this role in the whole instance has keys or tokens that others made. They would reach further too: revoke them first.

## What it takes away
role-narrow = Take this from everybody who has the role?
role-narrow-what = This takes rights away at once, and from their keys and tokens, too.
role-narrow-holders = { $count ->
    [one] One member or service account has the role.
   *[other] { $count } members and service accounts have the role.
}
role-loses = The role gives no more:
role-gains = The role gives besides:
role-delete = Delete
role-delete-title = Delete this role?
role-delete-what = Everybody who has it loses it at once. Invitations that bring it bring the rest only.
role-delete-nobody = Nobody has it.
role-delete-holders = { $count ->
    [one] One member or service account loses it.
   *[other] { $count } members and service accounts lose it.
}
role-delete-do = Delete for good
