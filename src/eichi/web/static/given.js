// Files that are given to a place as a whole, by its button or dropped anywhere on it. What is refused is said there.

import { upload } from "./api.js";
import { find } from "./dom.js";
import { tell } from "./more.js";
import { droppable } from "./picture.js";

/**
 * Let files be given to an address of the interface.
 * @param {string} path
 * @param {() => Promise<void>} done called when all of them were taken or refused
 */
export function taking(path, done) {
  const refused = find("#refused"), input = find("#give input");
  const take = async (files) => {
    refused.hidden = true;
    for (const file of files) {
      try {
        await upload(path, file);
      } catch (error) {
        tell(refused, error.message, error.id);
        refused.hidden = false;
      }
    }
    await done();
  };
  input.addEventListener("change", () => take([...input.files]).then(() => (input.value = "")));
  droppable(find("main"), (transfer) => take([...transfer.files]));
}
