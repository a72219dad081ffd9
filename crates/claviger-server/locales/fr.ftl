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

## Navigation
skip = Aller au contenu
menu = Menu
menu-close = Fermer
navigation = Navigation
nav-organization = Organisation
nav-overview = Vue d’ensemble
nav-api-keys = Clés d’API
nav-account = Votre compte
nav-tokens = Jetons d’accès personnels
nav-approvals = Approbations
organizations-title = Organisations
organizations-all = Toutes les organisations
crumbs = Où se trouve cette page
pages = Pages de la liste
page-first = Première page
page-next = Page suivante
search = Chercher par nom
state = État
order = Ordre
filter = Appliquer
filter-clear = Tout afficher
copy = Copier
copied = Copié
save = Enregistrer
never = jamais

## Times
time-now = à l’instant
time-minutes-ago = { $count ->
    [one] il y a 1 minute
   *[other] il y a { $count } minutes
}
time-minutes-ahead = { $count ->
    [one] dans 1 minute
   *[other] dans { $count } minutes
}
time-hours-ago = { $count ->
    [one] il y a 1 heure
   *[other] il y a { $count } heures
}
time-hours-ahead = { $count ->
    [one] dans 1 heure
   *[other] dans { $count } heures
}
time-days-ago = { $count ->
    [one] il y a 1 jour
   *[other] il y a { $count } jours
}
time-days-ahead = { $count ->
    [one] dans 1 jour
   *[other] dans { $count } jours
}
time-months-ago = { $count ->
    [one] il y a 1 mois
   *[other] il y a { $count } mois
}
time-months-ahead = { $count ->
    [one] dans 1 mois
   *[other] dans { $count } mois
}
time-years-ago = { $count ->
    [one] il y a 1 an
   *[other] il y a { $count } ans
}
time-years-ahead = { $count ->
    [one] dans 1 an
   *[other] dans { $count } ans
}

## Done
done-changed = C’est fait. Tous les autres navigateurs sont déconnectés.
done-saved = Enregistré. C’est valable dès maintenant.
done-once = Ce formulaire a déjà été envoyé, rien d’autre n’a été créé. Le secret a été montré à ce moment et ne le sera plus.
done-disabled = Désactivé : refusé dès maintenant, jusqu’à ce que quelqu’un le réactive.
done-enabled = Réactivé : il fonctionne de nouveau.
done-overlap = L’ancien secret a pris fin. Seul le nouveau fonctionne.
done-revoked = Révoqué. Il est refusé ici immédiatement, et sur tout autre nœud en moins d’une seconde.

## What needs attention
overview-keys = { $count ->
    [0] Aucune clé d’API ne fonctionne.
    [one] Une clé d’API fonctionne.
   *[other] { $count } clés d’API fonctionnent.
}
attention = À examiner
attention-none = Rien à signaler
attention-none-what = Aucune clé n’expire bientôt, ne dort ou n’est sans fin, et aucune approbation n’attend.
attention-rolling = { $count ->
    [one] Une clé a un ancien secret qui fonctionne encore
   *[other] { $count } clés ont un ancien secret qui fonctionne encore
}
attention-soon = { $count ->
    [one] Une clé expire dans les 14 jours
   *[other] { $count } clés expirent dans les 14 jours
}
attention-idle = { $count ->
    [one] Une clé n’a pas servi depuis 90 jours
   *[other] { $count } clés n’ont pas servi depuis 90 jours
}
attention-endless = { $count ->
    [one] Une clé n’expire jamais
   *[other] { $count } clés n’expirent jamais
}

## States
status-active = Active
status-revoked = Révoquée
status-disabled = Désactivée
status-expired = Expirée
status-not-yet-valid = Pas encore valable
status-pending-approval = En attente d’approbation
rolling = deux secrets
filter-any-state = Tous
filter-soon = Expire dans les 14 jours
filter-idle = Inutilisée depuis 90 jours
filter-endless = N’expire jamais
filter-rolling = Ancien secret encore valable
order-newest = Plus récentes
order-oldest = Plus anciennes
order-name = Par nom
order-end = Expire en premier

## API keys
keys-what = Ce par quoi les programmes et intégrations de cette organisation s’authentifient.
keys-none = Pas encore de clé d’API
keys-none-what = Une clé permet à un programme d’appeler vos API, avec seulement les permissions que vous choisissez. Vous pouvez la renouveler sans interruption et la révoquer à tout moment.
keys-none-such = Rien trouvé
keys-none-such-what = Rien ne correspond à votre recherche.
service-account = Compte de service
key-new = Nouvelle clé d’API
key-new-title = Nouvelle clé d’API
key-new-what = Son secret est montré une seule fois, à la page suivante.
whose-title = À qui sera la clé ?
whose-what = Un compte de service représente un programme ou une intégration. Ses clés ne peuvent rien de plus que lui.
whose-other = en choisir un autre
account-new = Nouveau compte de service
account-name = Nom du nouveau compte de service
account-name-hint = Le programme qui utilisera la clé, comme « synchro facturation ». Il reçoit seulement les permissions choisies ci-dessous.
accounts-none-such = Aucun compte de service ne porte ce nom.
accounts-more = Il y en a d’autres : cherchez par nom.

## Tokens
tokens-what = Avec un jeton, vos scripts et outils agissent en votre nom, dans la limite de ce que vous permettez.
tokens-none = Pas encore de jeton
tokens-none-what = Créez-en un par outil, pour pouvoir en arrêter un sans les autres.
token-new = Nouveau jeton
token-new-title = Nouveau jeton d’accès personnel
token-new-what = Il ne peut jamais plus que vous. Son secret est montré une seule fois, à la page suivante.
where-title = Dans quelle organisation ?
where-what = Un jeton n’agit que dans une seule organisation.
where-other = en choisir une autre

## The form of a key or token
form-wrong = Impossible d’enregistrer pour l’instant :
form-cut = Votre saisie était trop longue pour être gardée pendant la connexion. Seuls les noms sont encore là : remplissez le reste à nouveau.
form-name = Nom
form-name-hint = À quoi elle sert et où elle est gardée : « serveur de production » en dit plus que « clé 2 ».
form-environment = Environnement
form-live = Production
form-test = Test
form-test-hint = Son texte le dit, et les API peuvent la traiter à part.
environment-test = Test
form-permissions = Permissions
form-permissions-hint = Ne choisissez que le nécessaire : un voleur ne pourrait rien de plus.
form-permissions-none = Rien à donner ici : il n’y a aucune permission que vous puissiez donner.
form-filter = Filtrer les permissions
picker-every-api = Tout ce que son propriétaire peut faire dans les API, maintenant et plus tard
picker-every-builtin = Tout ce que son propriétaire peut faire dans Claviger, maintenant et plus tard
picker-lost = Sans effet
picker-lost-what = Son propriétaire ne l’a plus.
form-life = Fin
form-days = { $count ->
    [one] dans 1 jour
   *[other] dans { $count } jours
}
form-on-a-date = à une date…
form-never = jamais
form-keep-end = inchangé : { $when }
form-keep-endless = inchangé : jamais
form-until = Dernier jour
form-until-hint = Seulement pour « à une date » : valable jusqu’à la fin de ce jour, UTC.
form-restrictions = Restrictions
form-objects = Seulement sur ces objets
form-objects-hint = Un par ligne, comme base:app7 ou repo:acme/*. Vide : tous les objets.
form-objects-required = L’organisation demande que des objets soient nommés ici.
form-networks = Seulement depuis ces réseaux
form-networks-hint = Un par ligne, comme 203.0.113.0/24. Vide : de partout.
form-rate = Limite de fréquence
form-quota = Au plus si souvent par période calendaire
form-limits-kept = Elle a plusieurs limites, modifiables par l’API ou la ligne de commande. Elles restent inchangées.
per-second = par seconde
per-minute = par minute
per-hour = par heure
per-day = par jour
per-month = par mois
quota-per-day = { $count } par jour calendaire
quota-per-month = { $count } par mois calendaire
form-life-wrong = Choisissez une fin dans la liste.
form-date-wrong = Indiquez le dernier jour sous forme de date.
form-date-unused = Un dernier jour ne compte qu’avec « à une date ». Choisissez cela, ou laissez le jour vide.
form-end-required = L’organisation demande une fin.
form-end-past = Le dernier jour est dans le passé.
form-end-late = Cette fin est plus tardive que l’organisation ne le permet.
form-number-wrong = Une limite est un nombre entier à partir de 1, ou rien.
form-too-many = C’est trop de permissions pour une liste.
form-permissions-choose = Choisissez au moins une permission.
form-permission-wrong = { $name } ne peut être donnée : son propriétaire ne l’a pas, ou les règles de l’organisation l’interdisent.
form-object-wrong = { $name } n’est pas un objet : écrivez le type, deux-points et l’identifiant, comme base:app7. 100 au plus.
form-network-wrong = { $name } n’est pas un réseau : écrivez-le comme 203.0.113.0/24. 100 au plus.
form-beyond = Vous ne pouvez pas donner cela : il faut { $permission }, que vous n’avez pas ici.
form-kind = Les règles de l’organisation n’autorisent pas ce type d’accès.
form-pending = Il attend une approbation tel quel. Créez-en un autre, ou modifiez-le une fois approuvé.
form-revoked = Révoqué entre-temps, c’est définitif. Créez-en un autre.
form-expired = Expiré. Donnez-lui d’abord une fin plus tardive.
form-refused = Ce n’est pas possible. Regardez encore ; quelque chose a peut-être changé entre-temps.

## A secret, once
made-key = Votre nouvelle clé d’API
made-token = Votre nouveau jeton
made-once = Ce secret n’est montré que maintenant.
made-keep = Mettez-le là où le programme le trouve, comme un coffre à secrets. Personne ne peut le montrer à nouveau ; s’il se perd, renouvelez-le.
made-secret = Secret
made-try = Essayez
made-stored = Je l’ai mis en lieu sûr
made-waits = Il fonctionnera une fois approuvé.

## One key or token
secrets = Ses secrets
secret = Secret
made = Création
ends = Fin
last-used = Dernier usage
used-from = depuis { $address }
generation-current = Actuel
generation-retiring = Encore valable
generation-retired = Terminé
rolling-title = L’ancien secret fonctionne encore
rolling-what = Quand plus personne ne l’utilise, mettez-y fin : le tableau ci-dessus dit quand et d’où il a servi en dernier.
rolling-end = Terminer l’ancien secret maintenant
usage-title = Usage des 30 derniers jours
usage-none = Aucun usage pendant ces jours.
usage-valid = { $count } acceptés
usage-throttled = { $count } en trop
usage-refused = { $count } refusés
facts-title = Détails
limits = Fréquence
limits-none = Pas de limite propre
bound = Preuve
bound-what = Ne fonctionne qu’avec la clé ou le certificat auquel il est lié.
history-title = Historique
by-system = Claviger lui-même
event-created = Création
event-updated = Modification
event-disabled = Désactivation
event-enabled = Réactivation
event-approved = Approbation
event-denied = Refus
event-rolled = Nouveau secret
event-overlap-ended = Fin anticipée de l’ancien secret
event-revoked = Révocation
event-retired-secret-used = Quelqu’un a utilisé un secret terminé
revoked-final = Révoqué définitivement.
disabled-for-now = Désactivé pour l’instant.
disable = Désactiver
disable-for-good = Pour réactiver, il faut détenir tout ce que cela permet. Ce n’est pas votre cas : vous pouvez désactiver, mais pas réactiver ensuite.
enable = Réactiver
edit = Modifier
edit-title = Modifier
edit-what = Ce qu’on lui retire l’est aussitôt, partout. Le secret reste le même.
edit-changed-meanwhile = Quelqu’un d’autre l’a modifié entre-temps. Là où votre saisie diffère, l’état actuel est indiqué à côté. Enregistrer met le vôtre à sa place.
edit-now = Valeur actuelle : { $value }
roll = Renouveler
roll-title = Un nouveau secret
roll-what = L’identifiant, les permissions et l’historique restent. L’ancien secret fonctionne aussi longtemps que vous le choisissez, pour mettre le nouveau en place sans interruption.
roll-ends-older = Un secret plus ancien fonctionne encore. Il prend fin maintenant.
roll-meanwhile = Quelqu’un d’autre a créé un nouveau secret entre-temps, le { $when }. Rien d’autre n’a été créé. Renouveler encore met fin à tous les secrets sauf celui-là et le vôtre ; des programmes en utilisent peut-être encore un.
roll-overlap = L’ancien secret fonctionne encore
roll-do = Créer le nouveau secret
overlap-none = pas du tout : il prend fin maintenant
overlap-hour = pendant une heure
overlap-day = pendant un jour
overlap-week = pendant une semaine
overlap-month = pendant 30 jours
revoke = Révoquer
revoke-key = Révoquer cette clé ?
revoke-token = Révoquer ce jeton ?
revoke-what = Tout ce qui l’utilise cesse aussitôt de fonctionner. C’est définitif.
revoke-reason = Raison
revoke-do = Révoquer définitivement
reason-unspecified = Non précisée
reason-superseded = Un autre l’a remplacé
reason-compromised = Quelqu’un d’autre l’a peut-être
reason-owner-left = Son propriétaire est parti
reason-policy = Une règle y a mis fin
reason-unused = Personne ne l’utilise

## Trouble
trouble-title = Cela n’a pas fonctionné
trouble-form = Cette page est restée ouverte trop longtemps, ou votre navigateur ne garde pas les cookies. Rien n’a changé : revenez en arrière, rechargez la page et réessayez.
trouble-unreadable = Ce que votre navigateur a envoyé est illisible.
trouble-link = Ce lien a déjà servi, est trop ancien ou incomplet. Demandez-en un nouveau.
trouble-portal = Cette page est restée ouverte trop longtemps ou a été quittée, son lien a déjà servi, ou votre navigateur ne garde pas les cookies ici. Revenez d’où vous veniez et ouvrez-la de nouveau.
trouble-withheld = Cela ne vous revient pas : il faut plus de droits que vous n’en avez ici, ou cela concerne quelqu’un qui agit sur toute l’instance. Rien n’a été modifié.
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
