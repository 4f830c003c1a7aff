// Does in Chromium, one after the other, what a story says on standard input, and ends with an error at the first step that
// does not come out: { chromium, artefacts, context, steps: [[verb, ...words]] }. See browser.rs for the verbs.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const story = JSON.parse(await new Response(process.stdin).text());
const { chromium } = createRequire(join(story.modules, 'package.json'))('playwright-core');

const wrong = (text) => { throw new Error(text); };
const same = (what, seen, wanted) => seen === wanted || wrong(`${what}: seen ${JSON.stringify(seen)}, wanted ${JSON.stringify(wanted)}`);

const browser = await chromium.launch({
  executablePath: story.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});
const page = await (await browser.newContext(story.context)).newPage();
page.setDefaultTimeout(15_000);
// What the page is not allowed to load or run is its own mistake.
const refused = [];
page.on('console', (line) => /Content Security Policy/.test(line.text()) && refused.push(line.text()));
page.on('pageerror', (error) => refused.push(String(error)));

const verbs = {
  open: (url) => page.goto(url),
  fill: (label, text) => page.getByLabel(label, { exact: true }).fill(text),
  select: (label, option) => page.getByLabel(label, { exact: true }).selectOption({ label: option }),
  press: (name) => page.getByRole('button', { name, exact: true }).first().click(),
  choose: (name) => page.getByRole('link', { name, exact: true }).click(),
  type: (text) => page.keyboard.type(text),
  key: (name) => page.keyboard.press(name),
  at: (url) => page.waitForURL((seen) => seen.href === url).catch(() => same('address', page.url(), url)),
  stays: async (base, locations, hosts) => {
    const parsed = await page.evaluate(([base, all]) => all.map((location) => new URL(location, base).hostname), [base, locations]);
    const away = locations.filter((_, index) => !hosts.includes(parsed[index]));
    away.length === 0 || wrong(`lead elsewhere: ${JSON.stringify(away)}`);
  },
  becomes: async (url, text) => {
    const deadline = Date.now() + 15_000;
    do await page.goto(url); while (await page.getByText(text).count() === 0 && Date.now() < deadline);
    await page.getByText(text).first().waitFor({ timeout: 1_000 });
  },
  heading: (name) => page.getByRole('heading', { name, exact: true, level: 1 }).waitFor(),
  alert: (text) => page.getByRole('alert').filter({ hasText: text }).waitFor(),
  sees: (text) => page.getByText(text).first().waitFor(),
  // The element that has the focus, by the name that a screen reader says.
  focus: async (role, name) => {
    const element = page.getByRole(role, { name, exact: true }).or(page.getByLabel(name, { exact: true })).first();
    await element.waitFor();
    (await element.evaluate((it) => it === document.activeElement)) ||
      wrong(`focus: not on ${name} but on ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 200))}`);
  },
  // Chromium's own parser says where a redirect would lead.
  stays: async (base, addresses, hosts) => {
    const left = await page.evaluate(([from, all, allowed]) => all.filter((address) => {
      const url = new URL(address, from);
      return !/^https?:$/.test(url.protocol) || !allowed.includes(url.hostname) || url.username || url.password;
    }), [base, addresses, hosts]);
    left.length === 0 || wrong(`${left.length} lead away: ${JSON.stringify(left.slice(0, 10))}`);
  },
  picture: async (name) => {
    await page.screenshot({ path: join(story.artefacts, `${name}.png`), fullPage: true });
    const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    content <= room || wrong(`${name}: ${content} pixels wide, where there is room for ${room}`);
  },
};

let doing;
try {
  for (const [verb, ...words] of story.steps) {
    doing = `${verb} ${words.map((word) => JSON.stringify(word)).join(' ')}`.slice(0, 500);
    await verbs[verb](...words);
  }
  doing = 'what the pages were not allowed';
  same(doing, refused.join('\n'), '');
} catch (error) {
  console.error(`${doing}: ${error.message}\nat ${page.url()}\n${await page.innerText('body').catch(() => '')}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
