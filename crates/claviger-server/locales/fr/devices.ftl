## Devices
device-code-title = Connecter un appareil
device-code = Code de l’appareil
device-code-hint = Les huit lettres qu’affiche votre appareil. Avec ou sans tiret, en majuscules ou non.
device-code-wrong = Ce code ne compte pas : il est faux ou trop ancien. Regardez votre appareil, ou recommencez depuis celui-ci.
device-title = Cet appareil peut-il agir pour vous ?
device-warning = Avez-vous commencé cela vous-même, à l’instant, sur cet appareil ? Si quelqu’un vous a envoyé le code ou l’adresse de cette page, refusez : il agirait en votre nom.
device-client = Programme
device-client-cli = Ligne de commande de Claviger
device-client-of = de { $name }
device-name = Comment l’appareil s’appelle lui-même
device-address = Depuis l’adresse
device-age = { $count ->
    [0] Il y a moins d’une minute
    [one] Il y a une minute
   *[other] Il y a { $count } minutes
}
device-choose = Dans quelle organisation ?
device-other-organizations = Ou dans une autre :
device-everywhere = L’appareil atteindrait toutes les organisations de cette instance, et pas seulement celle-ci, avec :
device-left-out = Demandé aussi, mais vous ne le détenez pas là-bas, c’est donc laissé de côté :
device-wants-approval = { $name } veut approuver chaque jeton : celui-ci fonctionnera une fois qu’un administrateur l’aura approuvé.
device-nothing = Vous ne détenez rien de ce que demande cet appareil. Vous ne pouvez pas l’approuver ; refusez, ou demandez à un administrateur.
device-refused = Les règles de l’organisation n’autorisent pas ce jeton.
device-approved = Approuvé. Revenez à votre appareil : il continue de lui-même. Si ce n’est pas vous qui avez commencé, refusez maintenant.
device-redeemed = Approuvé, et l’appareil a son jeton. Si c’était une erreur, révoquez-le parmi vos jetons.
device-by-other = Quelqu’un d’autre l’a approuvé : l’appareil agit en son nom et non au vôtre. Si ce n’est pas voulu, recommencez sur l’appareil.
device-denied = Refusé. L’appareil ne reçoit rien.
