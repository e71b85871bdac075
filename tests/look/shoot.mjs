// Saves the panel in its states as pictures: node tests/look/shoot.mjs → build/look/*.png
import { openLook, outDirectory } from './browser.mjs';

const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const dark = { colorScheme: 'dark' };
const openAll = async (page) => {
  for (const button of await page.locator('.hf-toggle').all()) await button.click();
};
const openSome =
  (...indexes) =>
  async (page) => {
    for (const index of indexes) await page.locator('.hf-toggle').nth(index).click();
  };

/** From the last to the first, so that none moves before it is pressed. */
const openMembers =
  (...indexes) =>
  async (page) => {
    for (const index of indexes.sort((one, other) => other - one)) await page.locator('.hf-members-toggle').nth(index).click();
    await page.waitForTimeout(200);
  };

/** A file that is refused. */
const giveFile = async (page) => {
  const file = { name: 'other.pdf', mimeType: 'application/pdf', buffer: Buffer.from('x') };
  await page.locator('input[type=file]').first().setInputFiles(file);
};

const remove = (count) => async (page) => {
  for (let removed = 0; removed < count; removed++) await page.locator('[data-action=remove]').first().click();
};

/** name, query, context, what to do before */
const pictures = [
  ['light-phases', { scene: 'phases' }],
  ['dark-phases', { scene: 'phases' }, dark],
  ['light-theme-on-dark-page', { scene: 'one', theme: 'light' }, dark],
  ['details', { scene: 'phases' }, {}, openSome(0, 5, 13, 14, 15)],
  ['details-dark', { scene: 'phases' }, dark, openSome(0, 15)],
  ['compact', { scene: 'phases', density: 'compact' }],
  ['french', { scene: 'phases', locale: 'fr' }, {}, openSome(0)],
  ['rtl', { scene: 'phases', dir: 'rtl' }, {}, openSome(0)],
  ['phone', { scene: 'phases' }, phone],
  ['phone-dark-awkward', { scene: 'awkward' }, { ...phone, ...dark }],
  ['phone-french-details', { scene: 'one', locale: 'fr' }, phone, openSome(0)],
  ['awkward', { scene: 'awkward' }],
  ['awkward-details', { scene: 'awkward' }, {}, openAll],
  ['missing', { scene: 'missing' }, {}, giveFile],
  ['missing-french-dark', { scene: 'missing', locale: 'fr' }, dark, giveFile],
  ['missing-phone', { scene: 'missing' }, phone, giveFile],
  ['held', { scene: 'held' }, {}, openSome(1, 3, 4)],
  ['held-french-dark', { scene: 'held', locale: 'fr' }, dark],
  ['held-phone', { scene: 'held' }, phone],
  ['containers', { scene: 'containers' }],
  ['containers-open', { scene: 'containers' }, {}, openMembers(0, 2)],
  ['containers-open-dark', { scene: 'containers' }, dark, openMembers(0, 2)],
  ['containers-french-rtl', { scene: 'containers', locale: 'fr', dir: 'rtl' }, {}, openMembers(0)],
  ['containers-thousand', { scene: 'containers' }, {}, openMembers(1)],
  ['containers-phone', { scene: 'containers' }, phone, openMembers(2, 0)],
  ['containers-phone-dark', { scene: 'containers' }, { ...phone, ...dark }, openMembers(2)],
  ['empty', { scene: 'empty' }],
  ['empty-phone-dark', { scene: 'empty' }, { ...phone, ...dark }],
  ['empty-group', { scene: 'one' }, {}, (page) => page.locator('[data-group=failed]').click()],
  ['opening', { scene: 'opening' }],
  ['one', { scene: 'one' }],
  ['thousand', { scene: 'thousand' }],
  ['clear-all', { scene: 'phases' }, {}, (page) => page.locator('.hf-clear').click()],
  [
    'focus',
    { scene: 'phases' },
    {},
    async (page) => {
      for (let n = 0; n < 6; n++) await page.keyboard.press('Tab');
    },
  ],
  ['removed', { scene: 'phases' }, {}, remove(1)],
  ['removed-dark', { scene: 'phases' }, dark, remove(2)],
  ['removed-phone-french', { scene: 'phases', locale: 'fr' }, phone, remove(2)],
  ['removed-phone-awkward', { scene: 'awkward' }, phone, remove(1)],
  ['storage-full', { scene: 'full' }],
  ['storage-degraded', { scene: 'degraded' }],
  ['storage-failing-dark', { scene: 'failing' }, dark],
  ['storage-memory-french', { scene: 'memory', locale: 'fr' }],
  ['storage-locked-phone', { scene: 'locked' }, phone],
  ['storage-destroyed-dark', { scene: 'destroyed' }, dark],
  ['forced-colors', { scene: 'phases' }, { forcedColors: 'active' }],
  ['reduced-motion', { scene: 'phases' }, { reducedMotion: 'reduce' }],
];

// A picture of a whole page shows no row that is out of the window: make the window as high as the page.
async function heighten(page) {
  for (let round = 0; round < 3; round++) {
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width: page.viewportSize().width, height: Math.min(height, 6000) });
    await page.waitForTimeout(60);
  }
}

const wanted = process.argv.slice(2);
const look = await openLook();
for (const [name, query, context = {}, before] of pictures) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const page = await look.page(query, context);
  await before?.(page);
  if (query.scene !== 'thousand') await heighten(page);
  await page.waitForTimeout(350);
  await page.screenshot({ path: `${outDirectory}${name}.png`, fullPage: query.scene !== 'thousand' });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  console.log(
    `${name}.png${overflow > 0 ? `  OVERFLOWS by ${overflow} px` : ''}${page.problems.map((problem) => `\n  ${problem}`).join('')}`,
  );
  await page.context().close();
}
await look.close();
