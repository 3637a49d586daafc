// Control: the redirect alone. The same headers as Backtrail's click, a random id, nothing stored.
import { click } from "./click.js";

export default {
  fetch(request) {
    const outcome = click(request);
    return outcome === undefined ? new Response("Not found", { status: 404 }) : outcome.response;
  },
};
