const written = Date.parse(document.querySelector("time").dateTime)
const hold = document.querySelector("#hold")
const seconds = () => (Date.now() - written) / 1000
const isOld = () => seconds() > 120
function show() {
  document.querySelector("#old").hidden = !isOld()
  document.querySelector("#ago").textContent = `, ${Math.max(0, Math.round(seconds()))} s ago`
}
hold.parentElement.hidden = false
hold.checked = location.hash === "#held"  // no element has this name: the page does not jump to it
hold.addEventListener("change", () => history.replaceState(null, "", hold.checked ? "#held" : "#"))
show()
setInterval(show, 1000)
setInterval(() => { if (!hold.checked && !isOld()) location.reload() }, 4000)
setInterval(() => { if (!hold.checked) location.reload() }, 60000)
