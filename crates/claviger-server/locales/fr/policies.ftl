## Les règles d’une organisation
nav-policy = Règles
policy-title = Règles
policy-what = Les règles de toutes les clés et de tous les jetons de cette organisation. Elles valent aussi pour ce qui existe.
policy-change = Modifier les règles
policy-change-what = Des règles plus strictes valent aussi pour ce qui existe : vous voyez ce qu’elles feraient avant qu’elles ne comptent.
policy-lives = Durées
policy-made = Quoi et comment
policy-approvals = Approbation
policy-pat-max = Durée maximale d’un jeton d’accès personnel, en jours
policy-pat-max-what = Personne n’en crée qui dure plus, et ceux qui existent y sont ramenés. Vide : aucune limite.
policy-pat-default = Durée d’un jeton d’accès personnel sans fin choisie, en jours
policy-pat-default-what = Compte quand celui qui crée un jeton ne nomme pas de fin. Vide : la plus longue permise.
policy-key-max = Durée maximale d’une clé d’API, en jours
policy-key-max-what = Les clés qui existent y sont ramenées. Vide : aucune limite.
policy-expiry = Tout doit avoir une fin
policy-expiry-what = Rien n’est créé qui n’ait pas de fin, et ce qui n’en a pas en reçoit une.
policy-unused = Révoquer ce que personne n’a utilisé, après des jours
policy-unused-what = Ce qui n’a été ni utilisé ni créé depuis aussi longtemps est révoqué dans l’heure. Vide : jamais.
policy-kinds = Types permis
policy-kinds-what = Ce qui n’est pas permis n’est plus créé, et refusé là où il existe, tant que la règle tient.
policy-client-secrets = Secrets de clients
policy-public-keys = Clés publiques de clients
policy-certificates = Certificats de clients
policy-federations = Identités d’émetteurs externes
policy-wildcard = « Tout » est permis
policy-wildcard-what = Une clé ou un jeton peut suivre son propriétaire, dans tout ce que celui-ci peut faire. Sinon, chacun doit nommer ses permissions.
policy-objects = Les membres doivent nommer des objets
policy-objects-what = Les jetons des membres n’agissent que sur des objets qu’ils nomment, comme base:app7. Qui gère les jetons des autres en est libre.
policy-networks = Réseaux d’où l’on peut se servir de quoi que ce soit
policy-networks-what = Un par ligne, comme 203.0.113.0/24. Vide : de partout.
policy-approval = Les jetons attendent une approbation
policy-approval-what = Un nouveau jeton d’accès personnel ne fonctionne qu’une fois approuvé par quelqu’un qui en a le droit ; de même un jeton qui reçoit plus qu’il n’avait.
policy-no-bound = aucune limite
policy-days = { $count ->
    [one] 1 jour
   *[other] { $count } jours
}
policy-days-wrong = Un nombre de jours est un entier de 1 à 36500, ou rien.
policy-default-too-long = C’est plus long que la durée maximale ci-dessus.
policy-yes = oui
policy-no = non
policy-all = tous
policy-none = aucun

## Ce que font des règles plus strictes
policy-tighten = Rendre les règles plus strictes ?
policy-tighten-what = Cela touche des clés et des jetons en usage.
policy-tighten-do = Rendre plus strict
policy-ends-sooner = { $count ->
    [one] une clé ou un jeton prend fin plus tôt, définitivement
   *[other] { $count } clés et jetons prennent fin plus tôt, définitivement
}
policy-disabled = { $count ->
    [one] une clé ou un jeton est refusé tant que la règle tient
   *[other] { $count } clés et jetons sont refusés tant que la règle tient
}
policy-loses-wildcards = { $count ->
    [one] une clé ou un jeton ne suit plus son propriétaire ; ce qui est nommé reste
   *[other] { $count } clés et jetons ne suivent plus leur propriétaire ; ce qui est nommé reste
}
policy-limited-to-networks = { $count ->
    [one] une clé ou un jeton ne fonctionne que depuis ces réseaux
   *[other] { $count } clés et jetons ne fonctionnent que depuis ces réseaux
}
policy-revoked = { $count ->
    [one] une clé ou un jeton est révoqué dans l’heure, définitivement
   *[other] { $count } clés et jetons sont révoqués dans l’heure, définitivement
}
