## Portal
portal-title = Votre accès
portal-in = Votre accès à { $name }
portal-back = Retour
portal-back-to = Retour à { $name }
portal-leave = Quitter
portal-left = Vous avez quitté cette page.
portal-old = Vous êtes arrivé ici il y a plus de dix minutes. Vous pouvez encore consulter vos jetons et les révoquer. Pour en créer ou en modifier un, revenez en arrière et rouvrez cette page.
portal-too-old = Vous êtes arrivé ici il y a plus de dix minutes. Pour créer ou modifier un jeton, revenez en arrière et rouvrez cette page. Rien n’a été modifié.
portal-secret-hint = Un double clic ou la touche Tab le sélectionne en entier.
