## Portal
portal-title = Votre accès
portal-in = Votre accès à { $name }
portal-back = Retour
portal-leave = Quitter
portal-left = Vous avez quitté cette page.
