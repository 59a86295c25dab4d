// What is only on this place.

import { begin } from "./shell.js";

await begin();
