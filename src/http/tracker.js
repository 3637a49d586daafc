// Keeps the click_id of the landing page's address and reports site events.
// <script src="https://NAMESPACE-tracking.EXAMPLE/tracker.js" async></script>
// Calls made before it has loaded are queued by this stub:
// window.backtrail=window.backtrail||function(){(backtrail.q=backtrail.q||[]).push(arguments)}
((w, d, n) => {
  const script = d.currentScript;
  const { param = "click_id", cookie = "click_id" } = script.dataset;
  const home = new URL(script.src).origin;
  const isId = (text) => /^[\w-]{48}$/.test(text || "");
  const stored = () => (d.cookie.match("(?:^|; )" + cookie + "=([^;]*)") || [])[1];
  const landed = new URLSearchParams(location.search).get(param);
  const contact = {};
  let allowed = !n.globalPrivacyControl;

  // The registrable domain is the shortest one for which the browser keeps a cookie.
  const write = (name, value, age) => {
    const labels = location.hostname.split(".");
    for (let i = labels.length - 1; i >= 0; i--) {
      const domain = labels.slice(i).join(".");
      d.cookie = `${name}=${value}; Domain=${domain}; Path=/; Max-Age=${age}; SameSite=Lax; Secure`;
      if (d.cookie.includes(`${name}=${value}`) === age > 0) return;
    }
    d.cookie = `${name}=${value}; Path=/; Max-Age=${age}; SameSite=Lax; Secure`;
  };
  // Another platform's id never replaces one of ours.
  const keep = () => {
    if (allowed && isId(landed) && stored() !== landed) write(cookie, landed, 34560000);
  };
  const clickId = () => {
    const id = isId(landed) ? landed : stored();
    return isId(id) ? id : null;
  };
  const commands = {
    track: (name, data) =>
      fetch(home + "/collect", {
        method: "POST",
        keepalive: true,
        // Text needs no preflight.
        headers: { "content-type": "text/plain" },
        body: JSON.stringify({ event: name, click_id: clickId(), data: data || {}, page: location.href }),
      }).catch(() => {}),
    set: (_name, data) => Object.assign(contact, data),
    consent: (choice) => {
      allowed = !!(choice && choice.tracking) && !n.globalPrivacyControl;
      if (allowed) keep();
      else write(cookie, "", 0);
    },
  };
  const queue = (w.backtrail && w.backtrail.q) || [];
  const backtrail = (command, ...rest) => commands[command] && commands[command](...rest);
  backtrail.clickId = clickId;
  w.backtrail = backtrail;
  keep();
  for (const call of queue) backtrail(...call);
})(window, document, navigator);
