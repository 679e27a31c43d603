// The text of a size.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Returns a size in a unit that fits. @param {number} bytes */
export function sizeOf(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const options = { style: /** @type {const} */ ("unit"), unit: UNITS[power], maximumFractionDigits: power ? 1 : 0 };
  return new Intl.NumberFormat(undefined, options).format(bytes / 1000 ** power);
}
