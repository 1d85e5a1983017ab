const written = Date.parse(document.querySelector("time").dateTime)
const hold = document.querySelector("#hold")
const seconds = () => (Date.now() - written) / 1000
const isOld = () => seconds() > 120
function show() {
  document.querySelector("#old").hidden = !isOld()
  document.querySelector("#ago").textContent = `, ${Math.max(0, Math.round(seconds()))} s ago`
}
hold.parentElement.hidden = false
hold.checked = location.hash === "#hold"
hold.addEventListener("change", () => history.replaceState(null, "", hold.checked ? "#hold" : "#"))
show()
setInterval(show, 1000)
setInterval(() => { if (!hold.checked && !isOld()) location.reload() }, 4000)
setInterval(() => { if (!hold.checked) location.reload() }, 60000)
