## Portal
portal-title = Your access
portal-in = Your access to { $name }
portal-back = Back
portal-leave = Leave
portal-left = You have left this page.
