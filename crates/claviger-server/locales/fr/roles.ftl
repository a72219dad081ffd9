## La liste des rôles
nav-roles = Rôles
roles-what = Des ensembles de permissions qui portent un nom. Modifiez un rôle, et tous ceux qui l’ont gagnent ou perdent aussitôt.
role-builtin = Intégré
role-of-instance = Toute l’instance
role-new = Nouveau rôle
role-new-what = Il ne peut être donné que dans cette organisation.
role-new-everywhere = Nouveau rôle de l’instance
role-new-everywhere-what = Il peut être donné dans chaque organisation.

## Un rôle
role-builtin-what = Ce rôle vient avec Claviger. Il ne change qu’avec la version de Claviger ; pour autre chose, créez le vôtre.
role-empty = Il ne contient rien, et ne donne rien.
role-holders = Qui l’a ici
role-holders-none = Personne ici ne l’a. Donnez-le sur la page d’un membre.
role-holder-kind = Nature
role-holder-member = Membre
role-since = Depuis

## Le formulaire d’un rôle
role-change = Modifier le rôle
role-change-what = Tous ceux qui l’ont gagnent ou perdent aussitôt, leurs clés et jetons aussi.
role-name-hint = Minuscules, chiffres, - et _, comme invoice-reader.
role-name-wrong = Le nom d’un rôle compte 1 à 63 caractères parmi a-z, 0-9, - et _, et commence par une lettre ou un chiffre.
role-name-taken = Un autre rôle porte déjà ce nom, ici ou dans toute l’instance. Choisissez-en un autre.
role-description = À quoi il sert
role-description-hint = Une ligne, pour qui le donne.
role-description-wrong = Une ligne d’au plus 500 caractères.
role-permissions-hint = Vous pouvez y mettre ce que vous avez vous-même.
role-credentials-of-others = Quelqu’un qui a ce rôle dans toute l’instance a des clés ou des jetons que d’autres ont créés. Ils auraient une plus grande portée eux aussi : révoquez-les d’abord.

## Ce qui est retiré
role-narrow = Retirer ces permissions à tous ceux qui ont le rôle ?
role-narrow-what = Ces permissions sont retirées aussitôt, à leurs clés et jetons aussi.
role-narrow-holders = { $count ->
    [one] Un membre ou compte de service a le rôle.
   *[other] { $count } membres et comptes de service ont le rôle.
}
role-loses = Le rôle ne donne plus :
role-gains = Le rôle donne en plus :
role-delete = Supprimer
role-delete-title = Supprimer ce rôle ?
role-delete-what = Tous ceux qui l’ont le perdent aussitôt. Les invitations qui l’apportent n’apportent que le reste.
role-delete-nobody = Personne ne l’a.
role-delete-holders = { $count ->
    [one] Un membre ou compte de service le perd.
   *[other] { $count } membres et comptes de service le perdent.
}
role-delete-do = Supprimer pour de bon
