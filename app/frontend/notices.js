// Word from the browser itself when something is done: asked for by a click, silent at first.
//
// What was shown is kept for all tabs of this browser, so that two tabs do not both speak.

const SHOWN = "adapter-lab-notices";
const SOUND = "adapter-lab-notices-sound";

export default function (component) {
  const { data, parentElement: root, setStateValue } = component;
  for (const notice of data.notices) show(notice);
  const place = root.querySelector(".notices");
  if (!data.control) return;
  place.replaceChildren(...control(data, setStateValue));
}

function control(data, setStateValue) {
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  status.textContent = standing(data.on);
  if (!("Notification" in window) || !window.isSecureContext || Notification.permission === "denied")
    return [status];
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = data.on ? "No more word" : "Send word to this browser";
  button.addEventListener("click", async () => {
    if (data.on) return setStateValue("wanted", false);
    const permission = await Notification.requestPermission();
    status.textContent = standing(permission === "granted");
    if (permission === "granted") setStateValue("wanted", true);
  });
  if (!data.on) return [button, status];
  const sound = document.createElement("input");
  sound.type = "checkbox";
  sound.checked = localStorage.getItem(SOUND) === "on";
  sound.addEventListener("change", () => localStorage.setItem(SOUND, sound.checked ? "on" : "off"));
  const label = document.createElement("label");
  label.append(sound, " With a sound");
  return [button, label, status];
}

function standing(on) {
  if (!("Notification" in window)) return "This browser has no notifications.";
  if (!window.isSecureContext) return "Browsers give word at https addresses and localhost alone.";
  if (Notification.permission === "denied")
    return "This browser refuses notifications of this address; its settings can allow them.";
  return on ? "Word comes as long as this tab is open." : "";
}

function show({ key, title, body }) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const shown = JSON.parse(localStorage.getItem(SHOWN) ?? "[]");
  if (shown.includes(key)) return;
  localStorage.setItem(SHOWN, JSON.stringify([...shown, key].slice(-200)));
  const silent = localStorage.getItem(SOUND) !== "on";
  const made = new Notification(title, { body, tag: key, silent });
  made.onclick = () => window.focus();
}
