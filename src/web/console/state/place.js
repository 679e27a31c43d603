// The addresses of the site and of the console, and how the first account is made. The page says where it is, so both
// addresses work below any path.

const { site = "./", console = "./", setup = "" } = document.documentElement.dataset;

/** The address of the site, with a slash at the end. */
export const SITE = new URL(site, location.href);

/** The address of the console, with a slash at the end. */
export const CONSOLE = new URL(console, location.href);

/** How the caller makes the first account: `here`, with a `code`, or `offline`; empty if there are accounts. */
export const SETUP = setup;
