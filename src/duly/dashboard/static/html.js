// The one place that knows the libraries: markup as tagged templates, state as signals.

import { h, render } from "./vendor/preact.js";
import { useEffect, useRef } from "./vendor/hooks.js";
import { batch, computed, effect, signal, useComputed, useSignal } from "./vendor/signals.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { batch, computed, effect, render, signal, useComputed, useEffect, useRef, useSignal };
