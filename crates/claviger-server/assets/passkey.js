// Passkeys: what only a script can ask a browser for. What needs one is hidden until it is clear that this browser has them, and what the
// browser answers is sent by the form, like any other.

'use strict';

(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const toBytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  const toText = (buffer) => {
    const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
    return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  };

  /** The options as browsers want them: what JSON cannot hold stands in it as base64url. */
  function optionsOf(form) {
    const options = JSON.parse(form.dataset.options);
    options.challenge = toBytes(options.challenge);
    if (options.user) options.user.id = toBytes(options.user.id);
    for (const known of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) known.id = toBytes(known.id);
    return options;
  }

  function send(form, credential) {
    const { response } = credential;
    const answer = { client_data: toText(response.clientDataJSON) };
    if (response.attestationObject) {
      answer.attestation = toText(response.attestationObject);
      answer.transports = response.getTransports?.().join(' ') ?? '';
    } else {
      answer.credential = toText(credential.rawId);
      answer.authenticator_data = toText(response.authenticatorData);
      answer.signature = toText(response.signature);
      answer.user_handle = response.userHandle ? toText(response.userHandle) : '';
    }
    for (const [name, value] of Object.entries(answer)) form.elements[name].value = value;
    form.submit();
  }

  for (const shown of document.querySelectorAll('[data-passkeys]')) shown.hidden = false;
  for (const hidden of document.querySelectorAll('[data-without-passkeys]')) hidden.hidden = true;

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const failures = [...form.querySelectorAll('[data-failed]')];
    const tell = (name) => {
      const told = failures.find((text) => text.dataset.failed === name) ?? failures.find((text) => text.dataset.failed === 'else');
      for (const text of failures) text.hidden = !name || text !== told;
    };

    // While nobody asks, the browser offers passkeys where an address is typed.
    let offer;
    const offerPasskeys = async () => {
      if (form.dataset.passkey !== 'sign-in' || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
      offer = new AbortController();
      const options = { publicKey: optionsOf(form), mediation: 'conditional', signal: offer.signal };
      // It ends when somebody asks by the button, or when they choose none: neither is to be told.
      navigator.credentials.get(options).then((credential) => send(form, credential), () => {});
    };
    offerPasskeys();

    let asking = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (asking) return;
      asking = true;
      tell();
      offer?.abort();
      const publicKey = optionsOf(form);
      try {
        send(form, await (form.dataset.passkey === 'make' ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey })));
      } catch (error) {
        tell(error.name);
        offerPasskeys();
      }
      asking = false;
    });
  }
})();
