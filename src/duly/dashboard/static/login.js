// Signing in: a token becomes a session of this browser.

import { html, useSignal } from "./html.js";
import { signIn } from "./api.js";
import { t } from "./words.js";

export function Login() {
  const wrong = useSignal("");
  const enter = async (event) => {
    event.preventDefault();
    try {
      await signIn(new FormData(event.target).get("token").trim());
    } catch (error) {
      wrong.value = error.message;
    }
  };
  return html`<form class="sheet narrow" onSubmit=${enter}>
    <h1>${t("sign_in")}</h1>
    <label>${t("token")}<input name="token" type="password" required autocomplete="current-password" autofocus aria-describedby="hint" /></label>
    <p id="hint"><small>${t("token_hint")}</small></p>
    <p class="wrong" role="alert">${wrong.value}</p>
    <p><button class="main">${t("sign_in")}</button></p>
  </form>`;
}
