// Keeps the click_id of the landing page's address, reports arrivals and site events, and fires the pixels of the answers.
// <script src="https://NAMESPACE-tracking.EXAMPLE/tracker.js" async></script>
// Calls made before it has loaded are queued by this stub:
// window.backtrail=window.backtrail||function(){(backtrail.q=backtrail.q||[]).push(arguments)}
((w, d, n) => {
  const script = d.currentScript;
  const { param = "click_id", cookie = "click_id" } = script.dataset;
  const home = new URL(script.src).origin;
  const AGE = 34560000;
  const isId = (text) => /^[\w-]{48}$/.test(text || "");
  const read = (name) => (d.cookie.match("(?:^|; )" + name + "=([^;]*)") || [])[1];
  const landed = new URLSearchParams(location.search).get(param);
  const here = () => location.href.split("#")[0];
  // The page without its query, of which only whether it is a test is looked at. A report has at most 8 KiB.
  const path = () => here().split("?")[0].slice(0, 999);
  const isTest = () => /[?&](bt|trl)_test=1(&|$)/.test(location.search);
  const page = () => path() + (isTest() ? "?bt_test=1" : "");
  let contact = {};
  let allowed = false;
  let isUnsaid = false;
  // Of the visit: bt_arrived is the last address of an arrival, bt_arrival what is still to be told of it, bt_landing where a test began.
  let session = {};
  try {
    session = w.sessionStorage;
  } catch {}

  // The widest first; the last is this host alone.
  const domains = location.hostname.split(".").map((_, i, labels) => labels.slice(-1 - i).join(".")).concat("");
  const put = (name, value, age, domain) => {
    d.cookie = `${name}=${value}; ${domain ? `Domain=${domain}; ` : ""}Path=/; Max-Age=${age}; SameSite=Lax; Secure`;
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");
  // The registrable domain is the shortest one for which the browser keeps a cookie. Only one that nobody else sets shows that.
  const write = (name, value) => {
    const probe = random();
    const domain = domains.find((domain) => {
      put("bt_probe", probe, 9, domain);
      return read("bt_probe") === probe;
    });
    put("bt_probe", "", 0, domain);
    put(name, value, AGE, domain);
  };
  const clickId = () => {
    const id = isId(landed) ? landed : read(cookie);
    return isId(id) ? id : null;
  };

  const allow = () => {
    allowed = true;
    // Another platform's id never replaces one of ours.
    if (isId(landed) && read(cookie) !== landed) write(cookie, landed);
    write("bt_visitor", read("bt_visitor") || random());
    if (isTest()) session.bt_landing = page();
    // Whoever comes from another page of the site, or loads a page anew, has not arrived.
    const isInside = session.bt_arrived && d.referrer.startsWith(location.origin + "/");
    if (location.search && !isInside && session.bt_arrived !== here()) {
      session.bt_arrived = here();
      // What is far too long for a click id, or for a report, would only have the report refused.
      const arrival = here().replace(/[^?&]{1600,}/g, "");
      if (arrival.length < 4000) session.bt_arrival = Date.now() + " " + arrival;
    }
    isUnsaid = !!session.bt_arrival;
  };
  const refuse = () => {
    allowed = false;
    contact = {};
    for (const name of [cookie, "bt_visitor"]) if (read(name)) domains.forEach((domain) => put(name, "", 0, domain));
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
    const report = { event, data, page: path() };
    const { bt_arrival: pending, bt_landing: landing } = session;
    if (allowed) {
      isUnsaid = false;
      const [at, arrival] = (pending || "").split(" ");
      const fbc = read("_fbc");
      Object.assign(report, { page: page(), visitor: read("bt_visitor"), click_id: clickId(), landing, fbc, arrival });
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
  if (!("consent" in script.dataset) && !queue.some(isConsent)) backtrail("consent", { tracking: true });
  queue.filter(isConsent).forEach((call) => backtrail(...call));
  for (const call of queue) isConsent(call) || backtrail(...call);
})(window, document, navigator);
