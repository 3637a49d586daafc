// Keeps the click_id of the landing page's address, reports arrivals and site events, and fires the pixels of the answers.
// <script src="https://NAMESPACE-tracking.EXAMPLE/tracker.js" async></script>
// Calls made before it has loaded are queued by this stub:
// window.backtrail=window.backtrail||function(){(backtrail.q=backtrail.q||[]).push(arguments)}
((w, d, n) => {
  const script = d.currentScript;
  const { param = "click_id", cookie = "click_id", consent } = script.dataset;
  const home = new URL(script.src).origin;
  const AGE = 34560000;
  const isId = (text) => /^[\w-]{48}$/.test(text || "");
  const read = (name) => (d.cookie.match("(?:^|; )" + name + "=([^;]*)") || [])[1];
  const landed = new URLSearchParams(location.search).get(param);
  const here = () => location.href.split("#")[0];
  let contact = {};
  let allowed = false;
  let isUnsaid = false;
  // Of the visit: bt_arrived is the last address of an arrival, bt_arrival what is still to be told of it, bt_landing where a test began.
  let session = {};
  try {
    session = w.sessionStorage;
  } catch {}

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
  const clickId = () => {
    const id = isId(landed) ? landed : read(cookie);
    return isId(id) ? id : null;
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");

  const allow = () => {
    allowed = true;
    // Another platform's id never replaces one of ours.
    if (isId(landed) && read(cookie) !== landed) write(cookie, landed, AGE);
    write("bt_visitor", read("bt_visitor") || random(), AGE);
    if (/[?&](bt|trl)_test=1(&|$)/.test(location.search)) session.bt_landing = here();
    // Whoever comes from another page of the site, or loads a page anew, has not arrived.
    const isInside = session.bt_arrived && d.referrer.startsWith(location.origin + "/");
    if (location.search && !isInside && session.bt_arrived !== here()) {
      session.bt_arrived = here();
      session.bt_arrival = Date.now() + " " + here();
    }
    isUnsaid = !!session.bt_arrival;
  };
  const refuse = () => {
    allowed = false;
    contact = {};
    for (const name of [cookie, "bt_visitor"]) if (read(name)) write(name, "", 0);
    for (const name of ["bt_landing", "bt_arrived", "bt_arrival"]) delete session[name];
  };

  const fire = ({ html, is_sandboxed }) => {
    const body = d.body || d.documentElement;
    if (!is_sandboxed) {
      // Scripts of such a fragment run, those of innerHTML would not.
      const range = d.createRange();
      range.selectNode(body);
      return body.append(range.createContextualFragment(html));
    }
    const frame = d.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.style.display = "none";
    frame.srcdoc = html;
    body.append(frame);
  };
  const send = (event, data) => {
    const report = { event, data, page: here().split("?")[0] };
    const { bt_arrival: pending, bt_landing: landing } = session;
    if (allowed) {
      isUnsaid = false;
      const [at, arrival] = (pending || "").split(" ");
      const fbc = read("_fbc");
      Object.assign(report, { page: here(), visitor: read("bt_visitor"), click_id: clickId(), landing, fbc, arrival });
      if (arrival) report.arrived_ago = Math.max(Date.now() - at, 0);
      if (Object.keys(contact).length) report.contact = contact;
    }
    // Text needs no preflight.
    const headers = { "content-type": "text/plain" };
    return fetch(home + "/collect", { method: "POST", keepalive: true, headers, body: JSON.stringify(report) })
      // Also one that is refused as a conversion may bring pixels.
      .then((answer) => answer.json())
      .then((answer) => {
        if (allowed && answer.is_arrival_kept && session.bt_arrival === pending) delete session.bt_arrival;
        (answer.pixels || []).forEach(fire);
      })
      .catch(() => {});
  };
  // An arrival or contact data that no event has told of.
  const say = () => allowed && isUnsaid && send();

  const commands = {
    track: send,
    set: (_name, data) => {
      Object.assign(contact, data);
      isUnsaid = true;
      setTimeout(say);
    },
    consent: (choice) => {
      if (!(choice && choice.tracking) || n.globalPrivacyControl) return refuse();
      allow();
      setTimeout(say);
    },
  };
  const queue = Array.from((w.backtrail && w.backtrail.q) || []);
  const backtrail = (command, ...rest) => {
    commands[command] && commands[command](...rest);
  };
  backtrail.clickId = clickId;
  w.backtrail = backtrail;
  const isConsent = (call) => call[0] === "consent";
  if (!consent && !queue.some(isConsent)) backtrail("consent", { tracking: true });
  queue.filter(isConsent).forEach((call) => backtrail(...call));
  for (const call of queue) isConsent(call) || backtrail(...call);
})(window, document, navigator);
