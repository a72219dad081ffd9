## Portal
portal-title = Your access
portal-in = Your access to { $name }
portal-back = Back
portal-back-to = Back to { $name }
portal-leave = Leave
portal-left = You have left this page.
portal-old = You came here more than ten minutes ago. You can still look at your tokens and revoke them. To make or change one, go back and open this page again.
portal-too-old = You came here more than ten minutes ago. To make or change a token, go back and open this page again. Nothing was changed.
portal-secret-hint = A double click, or the Tab key, selects all of it.
