import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Browser, chromium, type Page } from 'playwright-core'
import { writeReport } from 'tamis/report'
import { findChromium } from '../../scripts/chromium.js'
import {
  HOSTILE,
  hostileDedup,
  hostileMix,
  hostileReport,
  hostileWeights,
  sampleDedup,
  sampleMix,
  sampleReport,
  sampleWeights,
} from './sample.js'

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const SIZES = { desk: { width: 1100, height: 900 }, phone: { width: 360, height: 740 } }

const found = findChromium()
const folder = await mkdtemp(join(tmpdir(), 'tamis-browser-'))
/** A page of each kind, made of what is plausible and of what is hostile. */
const KINDS = [
  {
    kind: 'select',
    sample: sampleReport,
    hostile: hostileReport,
    command: 'tamis select web --target law.jsonl --count 1200',
    drawings: 6,
  },
  {
    kind: 'dedup',
    sample: sampleDedup,
    hostile: hostileDedup,
    command: 'tamis dedup web=a web=b --out kept',
    drawings: 3,
  },
  {
    kind: 'mix',
    sample: sampleMix,
    hostile: hostileMix,
    command: 'tamis mix web books --epochs 1,2',
    drawings: 3,
  },
  {
    kind: 'weights',
    sample: sampleWeights,
    hostile: hostileWeights,
    command: 'tamis weights merge code maths law --base model --out merged',
    drawings: 3,
  },
] as const
const pageOf = (kind: string, which: 'sample' | 'hostile') => join(folder, `${kind}-${which}.html`)
let browser: Browser | undefined

test.before(async () => {
  for (const { kind, sample, hostile, command } of KINDS) {
    await writeReport(pageOf(kind, 'sample'), sample(), { command })
    await writeReport(pageOf(kind, 'hostile'), hostile(), { command: HOSTILE, title: HOSTILE })
  }
  if ('path' in found) browser = await chromium.launch({ executablePath: found.path, args: ARGUMENTS })
})
test.after.always(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What went on behind a page. */
interface Watched {
  page: Page
  /** Console messages and errors. */
  messages: string[]
  /** Addresses asked for. */
  requests: string[]
}

/** Opens a page and closes it when `look` is done. */
async function open(
  file: string,
  scheme: 'light' | 'dark',
  size: keyof typeof SIZES,
  look: (watched: Watched) => Promise<void>,
): Promise<void> {
  const context = await (browser as Browser).newContext({ colorScheme: scheme, viewport: SIZES[size] })
  const page = await context.newPage()
  const watched: Watched = { page, messages: [], requests: [] }
  page.on('console', (message) => watched.messages.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => watched.messages.push(String(error)))
  page.on('dialog', (dialog) => watched.messages.push(dialog.message()))
  page.on('request', (request) => watched.requests.push(request.url()))
  try {
    await page.goto(pathToFileURL(file).href, { waitUntil: 'load' })
    await look(watched)
  } finally {
    await context.close()
  }
}

/** A test that needs the browser; where there is none it is skipped and its title says why. */
function browserTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if ('path' in found) test(title, body)
  else test.skip(`${title}: ${found.missing}`, body)
}

for (const { kind, drawings } of KINDS) {
  for (const scheme of ['light', 'dark'] as const) {
    for (const size of ['desk', 'phone'] as const) {
      browserTest(
        `${kind}, ${scheme}, ${size}: it renders, says nothing to the console and asks for nothing`,
        async (t) => {
          const file = pageOf(kind, 'sample')
          await open(file, scheme, size, async ({ page, messages, requests }) => {
            const shot = join(folder, `${kind}-${scheme}-${size}.png`)
            await page.screenshot({ path: shot, fullPage: true })
            t.true((await stat(shot)).size > 10_000)
            const charts = await page.locator('figure [role=img]:visible').all()
            t.is(charts.length, drawings)
            for (const chart of charts) {
              const box = await chart.boundingBox()
              t.true(box !== null && box.width > 250 && box.height > 60)
              t.true(((await chart.getAttribute('aria-label')) ?? '').length > 40)
            }
            const [wide, inside] = (await page.evaluate(
              '[document.documentElement.scrollWidth, innerWidth]',
            )) as number[]
            t.true((wide as number) <= (inside as number), `${wide} wide in a window of ${inside}`)
            t.deepEqual(messages, [])
            t.deepEqual(requests, [pathToFileURL(file).href])
          })
        },
      )
    }
  }
}

browserTest('both themes are legible, and differ', async (t) => {
  const papers = new Set<string>()
  for (const scheme of ['light', 'dark'] as const) {
    await open(pageOf('select', 'sample'), scheme, 'desk', async ({ page }) => {
      papers.add((await page.evaluate('getComputedStyle(document.body).backgroundColor')) as string)
      for (const [selector, least] of [
        ['body', 7],
        ['.note', 4.5],
        ['nav a', 4.5],
        ['.warnings h2', 4.5],
        ['thead th', 4.5],
      ] as const) {
        const contrast = await contrastOf(page, selector)
        t.true(contrast >= least, `${scheme} ${selector}: ${contrast.toFixed(2)}`)
      }
    })
  }
  t.is(papers.size, 2)
})

/** By WCAG, of an element's colour on what lies behind it. */
async function contrastOf(page: Page, selector: string): Promise<number> {
  const [front, back] = (await page.evaluate(`(() => {
    const element = document.querySelector('${selector}')
    const colours = (e) => getComputedStyle(e)
    let behind = element
    while (behind.parentElement && colours(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement
    return [colours(element).color, colours(behind).backgroundColor]
  })()`)) as [string, string]
  const [a, b] = [luminance(front), luminance(back)]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
    const c = Number(part) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

for (const { kind } of KINDS) {
  browserTest(`${kind}: its parts are named and in order`, async (t) => {
    await open(pageOf(kind, 'sample'), 'light', 'desk', async ({ page }) => {
      const levels = (await page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]))",
      )) as number[]
      t.is(levels[0], 1)
      t.true(
        levels.every((level, i) => i === 0 || level - (levels[i - 1] as number) <= 1),
        levels.join(' '),
      )
      const ids = (await page.evaluate(
        "[...document.querySelectorAll('[id]')].map(({ id }) => id)",
      )) as string[]
      t.is(new Set(ids).size, ids.length)
      for (const link of await page.locator('nav a').all()) {
        t.true(ids.includes(((await link.getAttribute('href')) ?? '').slice(1)))
      }
      for (const table of await page.locator('table').all())
        t.true((await table.locator('thead th[scope=col]').count()) >= 2)
    })
  })
}

for (const kind of ['select', 'dedup']) {
  browserTest(`${kind}: a long text is folded away and opens without a script`, async (t) => {
    await open(pageOf(kind, 'sample'), 'light', 'desk', async ({ page }) => {
      const text = page.locator('.documents details pre').first()
      t.false(await text.isVisible())
      await page.locator('.documents summary').first().click()
      t.true(await text.isVisible())
      t.true(((await text.textContent()) ?? '').endsWith('The end.'))
    })
  })
}

for (const { kind } of KINDS) {
  browserTest(`${kind}: hostile text is shown and does not run`, async (t) => {
    const file = pageOf(kind, 'hostile')
    for (const scheme of ['light', 'dark'] as const) {
      await open(file, scheme, 'desk', async ({ page, messages, requests }) => {
        for (const summary of await page.locator('summary').all()) await summary.click()
        await page.locator('main td').first().hover()
        t.is(await page.evaluate('typeof window.hacked'), 'undefined')
        t.is(await page.evaluate('document.scripts.length'), 0)
        t.is(
          await page.locator('iframe, img, link[rel=stylesheet], form, math, a[href^=javascript]').count(),
          0,
        )
        const hasTexts = kind === 'select' || kind === 'dedup'
        const shown = hasTexts ? '.documents pre' : '.command'
        const last = hasTexts ? 'documents' : 'details'
        t.is(
          await page.evaluate(
            `document.querySelector("footer") !== null && document.querySelector("main #${last}") !== null`,
          ),
          true,
        )
        const text = (await page.locator(shown).first().textContent()) ?? ''
        t.true(text.includes('<script>window.hacked = 1</script>'))
        t.true(text.includes(']]><svg onload="window.hacked = 4">'))
        t.deepEqual(messages, [])
        t.deepEqual(requests, [pathToFileURL(file).href])
        await page.screenshot({ path: join(folder, `hostile-${kind}-${scheme}.png`), fullPage: true })
      })
    }
  })
}

browserTest('on paper it is light and has no links to its parts', async (t) => {
  await open(pageOf('select', 'sample'), 'dark', 'desk', async ({ page }) => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    t.true(luminance((await page.evaluate('getComputedStyle(document.body).color')) as string) < 0.05)
    t.false(await page.locator('nav').isVisible())
    t.true((await page.pdf()).byteLength > 10_000)
  })
})
