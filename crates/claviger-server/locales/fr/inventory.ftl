## Tokens of members
nav-inventory = Jetons des membres
inventory-title = Jetons des membres
inventory-what = Chaque jeton d’accès personnel qui agit dans cette organisation. Vous pouvez le désactiver ou le révoquer ; ce qu’il permet et son secret appartiennent à son propriétaire.
inventory-of = Jetons de { $name }
inventory-owner = Propriétaire : un nom ou une adresse
inventory-waiting = En attente d’approbation
inventory-waiting-all = Afficher tout ce qui attend
inventory-none = Pas encore de jeton
inventory-none-what = Les membres les créent sous « Jetons d’accès personnels ». Ceux créés pour cette organisation figurent ici.

## Many at once
inventory-revoke-all = Révoquer tous ceux-ci…
inventory-revoke-title = Révoquer plusieurs jetons ?
inventory-more = Seuls { $count } jetons ont été parcourus, le compte n’est donc pas complet. Revenez en arrière et choisissez d’abord un propriétaire.
inventory-matched = { $count ->
    [one] Un jeton prendrait fin.
   *[other] { $count } jetons prendraient fin.
}
inventory-anybody = tout le monde
inventory-any-live = ni révoqué ni expiré
inventory-leaves-out = Les jetons de qui administre toute l’instance sont exclus : seule une personne qui fait de même peut y mettre fin.
inventory-nothing-ends = Aucun jeton encore valable ne correspond. Il n’y a rien à révoquer.
inventory-first-of-them = Voici les plus récents.
inventory-revoke-what = Tout ce qui utilise ces jetons cesse aussitôt de fonctionner. C’est définitif.
inventory-type = Tapez { $count } pour confirmer
inventory-count-wrong = Tapez le nombre de jetons qui prendraient fin. Rien n’a été révoqué.
inventory-count-changed = Le nombre a changé entre-temps : vérifiez de nouveau. Rien n’a été révoqué.
inventory-too-late = Cette page est restée ouverte plus d’une heure : vérifiez de nouveau. Rien n’a été révoqué.
inventory-revoke-done = C’est fait
inventory-revoked = { $count ->
    [one] Un jeton a été révoqué. Il est refusé ici immédiatement, et sur tout autre nœud en moins d’une seconde.
   *[other] { $count } jetons ont été révoqués. Ils sont refusés ici immédiatement, et sur tout autre nœud en moins d’une seconde.
}
inventory-back = Retour aux jetons
inventory-see-revoked = Voir ce qui a été révoqué
