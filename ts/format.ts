/**
 * Numbers as people read them: what the command and the report print.
 * @hidden
 * @module
 */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `4,650` */
export function formatCount(n: number): string {
  return WHOLE.format(n)
}

/** `1 record`, `4,650 records` */
export function formatPlural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `12.3 MB`: powers of 1000, three digits; the space does not break. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? formatCount(value) : formatSignificant(value)}\u00a0${UNITS[unit]}`
}

/** `12.3 %` of a share in 0..1; small shares keep two digits. */
export function formatShare(share: number): string {
  const percent = share * 100
  if (percent === 0 || !Number.isFinite(percent)) return `${percent}\u00a0%`
  const digits = Math.abs(percent) >= 99.95 ? 0 : Math.abs(percent) >= 10 ? 1 : 2
  if (Math.abs(percent) < 0.01) return `${percent.toPrecision(2)}\u00a0%`
  return `${percent.toFixed(digits)}\u00a0%`
}

/** Three significant digits without an exponent where that is short: `0.130`, `1,234`, `1.2e-7`. */
export function formatSignificant(x: number, digits = 3): string {
  if (!Number.isFinite(x) || x === 0) return minus(String(x))
  const size = Math.abs(x)
  if (size < 1e-4 || size >= 1e9) return minus(x.toExponential(digits - 1))
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)))
  return minus(x.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places }))
}

function minus(text: string): string {
  return text.replace(/^-/, '\u2212')
}

/** `0.8 s`, `12 s`, `3 min 05 s`, `2 h 05 min` */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const pad = (n: number) => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`
}
