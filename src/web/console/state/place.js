// The addresses of the site and of the console. The page says where it is, so both work below any path.

const { site = "./", console = "./" } = document.documentElement.dataset;

/** The address of the site, with a slash at the end. */
export const SITE = new URL(site, location.href);

/** The address of the console, with a slash at the end. */
export const CONSOLE = new URL(console, location.href);
