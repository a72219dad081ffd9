## Approvals
approvals-title = Jetons en attente d’approbation
approvals-none = Rien ne vous attend.
approvals-more = Il y en a d’autres : voici les plus récents.
approvals-waiting = { $count ->
    [one] Un jeton attend votre approbation.
   *[other] { $count } jetons attendent votre approbation.
}
approval-title = Ce jeton peut-il fonctionner ?
approval-name = Nom
approval-owner = À qui il est
approval-address-claimed = Personne n’a montré que cette adresse est la sienne : une invitation à cette adresse a seulement été acceptée.
approval-maker = Créé par
approval-by-owner = l’utilisateur lui-même
approval-by-operator = l’exploitant de cette instance
approval-organization = Organisation
approval-permissions = Ce qu’il peut faire
approval-permissions-none = Rien
approval-every-api = Tout ce que son utilisateur peut faire dans les API, maintenant et plus tard
approval-every-builtin = Tout ce que son utilisateur peut faire dans Claviger, maintenant et plus tard
approval-at-present = Actuellement, c’est :
approval-at-present-none = Actuellement, ce n’est rien.
approval-objects = Sur quels objets
approval-objects-all = Tous les objets
approval-networks = D’où
approval-networks-all = De partout
approval-starts = À partir du
approval-ends = Jusqu’au
approval-ends-never = Il n’expire jamais
approval-since = Demandé
approval-look-alike = Regardez bien : une autre clé ou un autre jeton de cette organisation porte un nom qui ressemble à celui-ci, ou le même nom avec un autre propriétaire.
approval-reaches-further = Son utilisateur administre toute l’instance : seul quelqu’un qui fait de même peut décider.
approval-approve = Approuver
approval-deny = Refuser
approval-approved = Approuvé par { $name }. Il n’y a plus rien à décider.
approval-denied = Refusé : il a pris fin et n’a jamais fonctionné.
approval-ended = Il a pris fin avant toute décision et n’a jamais fonctionné.
