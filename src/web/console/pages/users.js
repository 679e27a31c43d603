// The page of accounts: the list, or the account that the address names after `#`.

import { html } from "../lib.js";
import { anchor } from "../state/router.js";
import { AccountDetails } from "../widgets/users_account.js";
import { AccountList } from "../widgets/users_list.js";

const ID = /^[a-z0-9]{26}$/;

export function Page() {
  const id = anchor.value;
  return ID.test(id) ? html`<${AccountDetails} key=${id} id=${id} />` : html`<${AccountList} />`;
}
