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
