## Frame
signed-in-as = Connecté : { $name }
sign-out = Se déconnecter
languages = Langues
back = Retour à l’accueil
cancel = Annuler
continue = Continuer

## Signing in
sign-in-title = Connexion
sign-in = Se connecter
sign-in-failed = L’adresse et le mot de passe ne vont pas ensemble. Vérifiez les deux ; après quelques essais, attendez un moment.
email = Adresse e-mail
password = Mot de passe
other-ways = Autres façons de se connecter
sign-in-with = Se connecter avec { $name }
provider-leaving = Vous continuez vers { $name }, puis vous revenez ici.
forgot-password = Mot de passe oublié ? Un administrateur peut créer pour vous un lien vers un nouveau.
second-factor-title = Deuxième étape
second-factor-hint = Saisissez les six chiffres qu’affiche votre application d’authentification. Si elle n’est pas disponible, saisissez un de vos codes de secours.
code = Code
code-wrong = Ce code ne compte pas : il est faux, trop ancien ou déjà utilisé. Attendez le suivant.
start-again = Recommencer
again-title = Est-ce toujours vous ?
again-why = Ce que vous allez faire est durable. Prouvez encore une fois qui vous êtes.
again-other-way = Votre compte n’a ni mot de passe ni application. Déconnectez-vous, puis reconnectez-vous comme vous êtes venu.
again-wrong = Le mot de passe ou le code ne compte pas. Vérifiez les deux ; attendez le code suivant.
link-for = Ce lien vous connecte en tant que { $name }. Il ne fonctionne qu’une fois.

## Passwords
password-current = Mot de passe actuel
password-new = Nouveau mot de passe
password-new-again = Nouveau mot de passe, encore une fois
password-change = Enregistrer le nouveau mot de passe
password-rules = Au moins 12 caractères. Quelques mots sans rapport entre eux font un bon mot de passe ; chiffres et signes ne sont pas nécessaires.
password-ends-sessions = Tous les autres navigateurs seront déconnectés.
password-wrong = Ce n’est pas votre mot de passe.
password-differs = Les deux nouveaux mots de passe diffèrent.
password-too-short = Le nouveau mot de passe est trop court : au moins 12 caractères.
password-too-long = Le nouveau mot de passe est trop long : 256 caractères au plus.
password-weak = Le nouveau mot de passe serait vite deviné. Allongez-le, par exemple avec quelques mots sans rapport entre eux.
password-reset-title = Choisir un mot de passe
password-reset-for = Pour { $name }

## Invitations
invitation-title = Une invitation
invitation-to = Vous êtes invité à rejoindre { $name }
invitation-accept = Rejoindre
invitation-known = L’adresse { $name } a déjà un compte ici. Connectez-vous pour rejoindre.
invitation-other-account = J’ai un compte sous une autre adresse
your-name = Votre nom
name-wrong = Un nom compte de 1 à 100 caractères visibles.

## Security
security-title = Sécurité
changed = C’est fait. Tous les autres navigateurs sont déconnectés.
authenticator-title = Application d’authentification
authenticator-on = Activée depuis le { $since }.
authenticator-off = Désactivée. Avec une application, un mot de passe volé n’ouvre rien à lui seul.
authenticator-add = Configurer une application
authenticator-remove = Retirer l’application
authenticator-scan = Scannez cette image avec votre application d’authentification.
authenticator-picture = Code QR pour l’application d’authentification
authenticator-type = Ou saisissez ceci dans l’application :
authenticator-code = Saisissez ensuite le code qu’affiche l’application
authenticator-enable = Activer
recovery-codes-left = { $count ->
    [0] Il ne vous reste aucun code de secours.
    [one] Il vous reste un code de secours.
   *[other] Il vous reste { $count } codes de secours.
}
recovery-codes-make = Créer de nouveaux codes de secours
recovery-codes-title = Vos codes de secours
recovery-codes-why = Chacun de ces codes remplace l’application une fois, si vous la perdez. Ils ne sont montrés que maintenant : gardez-les là où vous les retrouverez sans votre téléphone.
recovery-codes-kept = Je les ai gardés
sessions-title = Où vous êtes connecté
session-browser = Navigateur
session-address = Adresse
session-started = Depuis
session-used = Dernière utilisation
session-this = Déconnecter ici
session-end = Déconnecter là-bas
session-end-others = Déconnecter partout ailleurs

## Start
start-title = Accueil
start-hello = Bonjour, { $name }
organizations = Vos organisations
organizations-none = Vous n’appartenez encore à aucune organisation. Demandez une invitation à qui vous a envoyé ici.

## Portal
portal-title = Votre accès
portal-in = Votre accès à { $name }
portal-back = Retour
portal-leave = Quitter
portal-left = Vous avez quitté cette page.

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

## Trouble
trouble-title = Cela n’a pas fonctionné
trouble-form = Cette page est restée ouverte trop longtemps, ou votre navigateur ne garde pas les cookies. Rien n’a changé : revenez en arrière, rechargez la page et réessayez.
trouble-unreadable = Ce que votre navigateur a envoyé est illisible.
trouble-link = Ce lien a déjà servi, est trop ancien ou incomplet. Demandez-en un nouveau.
trouble-portal = Cette page est restée ouverte trop longtemps ou a été quittée, son lien a déjà servi, ou votre navigateur ne garde pas les cookies ici. Revenez d’où vous veniez et ouvrez-la de nouveau.
trouble-absent = Cette page n’existe pas, ou pas pour vous.
trouble-provider = L’autre service ne répond pas, ou pas comme il le devrait. Réessayez dans un instant, ou connectez-vous avec votre mot de passe.
trouble-provider-not-ours = Cette connexion n’a pas été commencée dans ce navigateur, a duré trop longtemps ou a déjà servi. Recommencez.
trouble-provider-denied = L’autre service ne vous a pas laissé entrer. Recommencez, ou connectez-vous avec votre mot de passe.
trouble-provider-unverified = L’autre service n’a pas confirmé votre adresse e-mail et ne peut donc pas nous dire qui vous êtes ici. Faites-y confirmer l’adresse, puis reconnectez-vous.
trouble-provider-unknown = Personne ne peut se connecter ici avec ce que l’autre service nous a dit de vous. Demandez un compte ou une invitation à un administrateur.
trouble-provider-not-proven = L’autre service n’a pas montré que vous êtes la personne connectée ici. Réessayez avec le même compte.
trouble-throttled = Trop d’essais. Attendez quelques minutes et réessayez.
trouble-busy = Il y a trop à faire en ce moment. Réessayez dans un instant.
trouble-defect = Quelque chose est cassé de notre côté. Le journal en dit plus.
