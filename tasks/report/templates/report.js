// Details open when the page is printed, and when a link leads into them.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(each => { each.open = true }))
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true
  if (target) target.scrollIntoView()
}
addEventListener("hashchange", openTarget)
if (location.hash) openTarget()

// In place of each picture of learning curves, the curves themselves.
const WIDTH = 720, HEIGHT = 340, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 34
const NAMES = ["train", "validation"]

function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes)
  made.append(...children)
  return made
}

function ticksOf(low, high, log) {
  if (!log) {
    const step = [1, 2, 5].map(n => n * 10 ** Math.floor(Math.log10((high - low) / 4)))
      .find((step, index) => index === 2 || (high - low) / step <= 6)
    return Array.from({ length: 12 }, (_, n) => (Math.ceil(low / step) + n) * step).filter(tick => tick <= high)
  }
  const powers = Array.from({ length: 20 }, (_, n) => 10 ** (Math.floor(Math.log10(low)) + n))
  const ticks = powers.flatMap(power => [power, 2 * power, 5 * power]).filter(tick => tick >= low && tick <= high)
  return ticks.length > 7 ? ticks.filter(tick => powers.includes(tick)) : ticks
}

function show(place, { title, trainings }) {
  const epochs = Math.max(...trainings.map(each => each.loss[1].length))
  const quantity = element("select", { ariaLabel: "quantity" }, new Option("loss"), new Option("accuracy"))
  const log = element("input", { type: "checkbox" })
  const seeds = trainings.map(() => element("input", { type: "checkbox", checked: true }))
  const logLabel = element("label", {}, log, " logarithmic")
  const chosen = element("div", { className: "choices" }, quantity, logLabel,
    ...(seeds.length > 1 ? seeds.map((box, n) => element("label", {}, box, ` seed ${trainings[n].seed}`)) : []))
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  const key = element("p", { className: "key", innerHTML: "<b class=train>train, dropout off</b> <b class=validation>validation</b> " +
    "<b class=smooth>validation, smoothed</b> <b class=onset>overfitting starts</b> <b class=interval>its interval</b>" })
  const said = element("p", { className: "said" })
  let epoch = null, x, y

  const path = (values, first = 1) => values.map((value, n) => value === null || !isFinite(y(value)) ? ""
    : `${n && values[n - 1] !== null ? "L" : "M"}${x(first + n).toFixed(1)} ${y(value).toFixed(1)}`).join("")

  function draw() {
    const kind = quantity.value, on = trainings.filter((_, n) => seeds[n].checked)
    logLabel.hidden = kind !== "loss"
    const known = on.flatMap(each => each[kind].flat()).filter(value => value !== null)
    const logarithmic = log.checked && kind === "loss" && known.some(value => value > 0)
    const held = on.flatMap(each => each[kind][1]).filter(value => value !== null).sort((a, b) => a - b)
    let low = 0, high = 1
    if (kind === "loss") {
      high = 1.05 * Math.max(...known, 0) || 1
      if (logarithmic) low = Math.min(...known.filter(value => value > 0)) / 1.1
      else if (held.length) high = Math.min(high, 4 * held[held.length >> 1] || high)
    } else low = Math.min(...known, 1) - 0.002
    const scaled = logarithmic ? Math.log : value => value
    x = number => LEFT + (WIDTH - LEFT - RIGHT) * (number - 0.5) / epochs
    y = value => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) *
      Math.min((scaled(value) - scaled(low)) / (scaled(high) - scaled(low)), 1.02)
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find(step => epochs / step <= 12) || 2000
    let marks = ""
    for (const tick of ticksOf(low, high, logarithmic)) {
      const words = kind === "loss" ? Number(tick.toPrecision(2)) : `${Number((100 * tick).toFixed(2))} %`
      marks += `<path class="rule" d="M${LEFT} ${y(tick)}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${words}</text>`
    }
    for (let tick = step; tick <= epochs; tick += step)
      marks += `<text x="${x(tick)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${tick}</text>`
    marks += `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">epoch</text>`
    for (const each of on) if (each.interval) {
      const [first, last] = each.interval
      marks += `<rect class="interval" opacity="${Math.max(0.08, 0.25 / on.length)}" x="${x(first - 0.5)}" width="${x(last + 1) - x(first)}" y="${TOP}" height="${HEIGHT - TOP - BOTTOM}"/>`
    }
    for (const each of on) if (each.onset) marks += `<path class="onset" d="M${x(each.onset)} ${TOP}V${HEIGHT - BOTTOM}"/>`
    for (const each of on) {
      each[kind].forEach((values, n) => { marks += `<path class="${NAMES[n]}" d="${path(values)}"/>` })
      if (kind === "loss") marks += `<path class="smooth" d="${path(each.smoothed, each.smoothed_from)}"/>`
    }
    if (epoch) {
      marks += `<path class="guide" d="M${x(epoch)} ${TOP}V${HEIGHT - BOTTOM}"/>`
      for (const each of on) each[kind].forEach((values, n) => {
        if (values[epoch - 1] != null) marks += `<circle class="${NAMES[n]}" cx="${x(epoch)}" cy="${y(values[epoch - 1])}" r="4"/>`
      })
    }
    svg.innerHTML = marks
    const number = value => value == null ? "–" : kind === "loss" ? value.toFixed(4) : `${(100 * value).toFixed(2)} %`
    const lines = epoch ? on.map(each => `seed ${each.seed}: ` +
      NAMES.map((name, n) => `${name} ${number(each[kind][n][epoch - 1])}`).join(", ")) : []
    said.textContent = epoch ? `Epoch ${epoch}. ${lines.join("; ")}.` : "Point at an epoch, or choose one with the arrow keys."
    svg.setAttribute("aria-label", `${kind} of ${title} by epoch`)
    svg.setAttribute("aria-valuenow", epoch || 1)
    svg.setAttribute("aria-valuetext", said.textContent)
  }

  function point(event) {
    const box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * WIDTH
    epoch = Math.min(epochs, Math.max(1, Math.round((at - LEFT) / (WIDTH - LEFT - RIGHT) * epochs + 0.5)))
    draw()
  }

  function type(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -epochs, End: epochs }
    if (!(event.key in steps)) return
    event.preventDefault()
    epoch = Math.min(epochs, Math.max(1, (epoch || 0) + steps[event.key]))
    draw()
  }

  const of = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "slider", "aria-valuemin": 1, "aria-valuemax": epochs }
  for (const [name, value] of Object.entries(of)) svg.setAttribute(name, value)
  svg.addEventListener("pointermove", point)
  svg.addEventListener("pointerdown", point)
  svg.addEventListener("keydown", type)
  chosen.addEventListener("change", draw)
  draw()
  place.removeAttribute("tabindex")
  place.className = "asked"
  place.replaceChildren(chosen, svg, key, said)
  const caption = place.parentElement.nextElementSibling
  if (caption?.querySelector("em")) caption.remove() // it speaks of the picture
}

const curves = JSON.parse(document.getElementById("curves").textContent)
for (const place of document.querySelectorAll("[data-curves]")) show(place, curves[place.dataset.curves])
