## La liste des membres
nav-members = Membres
members-what = Les personnes qui appartiennent à cette organisation, et ce qu’elles peuvent y faire.
members-search = Chercher par nom ou adresse
members-none = Personne n’appartient encore à cette organisation
members-none-what = Invitez quelqu’un : vous recevez un lien à transmettre, et qui l’ouvre devient membre avec les droits que vous avez choisis.
member-holds = Rôles et permissions
member-holds-nothing = aucun
member-since = Membre depuis
member-self = vous
member-everywhere = Toute l’instance

## Un membre
member-email = Adresse e-mail
member-external = Identifiant externe
member-tokens = { $count ->
    [0] Aucun jeton qui fonctionne
    [one] Un jeton qui fonctionne
   *[other] { $count } jetons qui fonctionnent
}
member-holds-nothing-what = Rien : cette personne est membre, et ne peut encore rien faire.
member-may = Ce que ce membre peut faire ici
member-may-what = Tous les rôles et permissions ensemble, dans la mesure où l’organisation peut les utiliser. Ses jetons ne pourront jamais davantage.
member-reaches-further = Ce membre administre toute l’instance : seul quelqu’un qui en fait autant peut le modifier ou le retirer.

## Droits
rights-roles = Rôles
rights-roles-hint = Un rôle apporte ce qu’il contient, maintenant et plus tard. Vous pouvez donner ce que vous avez vous-même.
rights-more-roles = Autres rôles, par leur nom
rights-more-roles-hint = Séparés par des espaces.
rights-permissions = Permissions isolées
rights-permissions-hint = Pour ce qu’aucun rôle n’apporte. Un rôle se modifie plus facilement pour tous.
rights-too-many = Au plus 100 rôles et 100 permissions isolées.
rights-role-unknown = Il n’y a pas de rôle { $name } ici. La page des rôles dit lesquels existent.
rights-permission-unknown = Aucune API ne déclare { $name }.

## Modifier ce que quelqu’un peut faire
member-change = Modifier les droits
member-change-what = Ce que ce membre perd, tous ses jetons ici le perdent aussitôt.
member-narrow = Retirer ces droits ?
member-narrow-what = Ces droits sont retirés aussitôt, au membre et à tous ses jetons ici.
member-narrow-do = Retirer
member-narrow-no-token = Aucun de ses jetons n’en utilise.
member-narrow-tokens = { $count ->
    [one] Un jeton pourra moins dès lors.
   *[other] { $count } jetons pourront moins dès lors.
}
member-loses = Ce qui est perdu :
member-gains = Ce qui s’ajoute :
ask-back = Retour au formulaire

## Retirer quelqu’un
member-remove = Retirer
member-remove-title = Retirer ce membre ?
member-remove-what = Cette personne n’appartiendra plus à { $name }. C’est définitif pour ce qu’elle avait : une invitation la ramène, mais rien de cela.
member-remove-everywhere = Ce qu’elle a dans toute l’instance par cette appartenance est perdu aussi.
member-remove-no-token = Elle n’a ici aucun jeton qui fonctionne.
member-remove-tokens = { $count ->
    [one] Un de ses jetons est révoqué pour de bon.
   *[other] { $count } de ses jetons sont révoqués pour de bon.
}
member-remove-do = Retirer pour de bon

## Invitations
invitations-title = Invitations
invitations-what = Des liens qui font de qui les ouvre un membre, une seule fois.
invitations-none = Aucune invitation
invitations-none-what = Aucune dans cet état. Celles qui ont pris fin restent un mois dans la liste.
invitation-new = Inviter quelqu’un
invitation-new-what = Claviger n’envoie pas d’e-mail : vous recevez un lien, une seule fois, et le transmettez vous-même.
invitation-make = Créer le lien
invitation-email = Adresse e-mail
invitation-email-hint = À qui il est destiné. Qui a le lien peut s’en servir : ne le donnez à personne d’autre.
invitation-email-wrong = Ce n’est pas une adresse e-mail, comme bob@acme.test.
invitation-already-member = Quelqu’un avec cette adresse est déjà membre. Modifiez plutôt ses droits.
invitation-nothing = Choisissez au moins un rôle ou une permission : un membre qui n’en a pas ne peut rien faire.
invitation-ends = Le lien fonctionne
invitation-brings = Apporte
invitation-open = Ouverte
invitation-accepted = Acceptée
invitation-revoked = Retirée
invitation-expired = Expirée
invitation-any = Toutes
invitation-made = Votre invitation
invitation-made-what = Envoyez-le à { $name }. Personne ne peut le montrer une nouvelle fois ; s’il se perd, retirez l’invitation et faites-en une autre.
invitation-link-gone = Son lien a été montré à sa création, et ne l’est plus. S’il s’est perdu, retirez l’invitation et invitez de nouveau.
invitation-withdraw = Retirer
invitation-withdraw-title = Retirer cette invitation ?
invitation-withdraw-what = Son lien cesse aussitôt de fonctionner. Qui l’a ouvert avant reste membre.

## Un lien, une seule fois
made-link = Lien
made-link-once = Ce lien n’est montré que maintenant.
made-link-sent = Je l’ai gardé
