(()=>{"use strict";
const key=c=>c.dataset.v??c.textContent.trim();
const order=(a,b)=>{const x=Number(a),y=Number(b);
return a!==""&&b!==""&&!Number.isNaN(x)&&!Number.isNaN(y)?x-y:a<b?-1:a>b?1:0};
for(const table of document.querySelectorAll("table[data-sort]")){
const body=table.tBodies[0],heads=[...table.tHead.rows[0].cells];
heads.forEach((head,column)=>{
const button=document.createElement("button");
button.type="button";button.append(...head.childNodes);head.append(button);
button.addEventListener("click",()=>{
const down=head.getAttribute("aria-sort")==="ascending";
for(const other of heads)other.removeAttribute("aria-sort");
head.setAttribute("aria-sort",down?"descending":"ascending");
const rows=[...body.rows].map(row=>[key(row.cells[column]),row]);
rows.sort((a,b)=>down?order(b[0],a[0]):order(a[0],b[0]));
body.append(...rows.map(r=>r[1]));
});
});
const all=body.rows.length;
if(table.dataset.sort==="find"&&all>10){
const bar=document.createElement("div"),label=document.createElement("label"),input=document.createElement("input"),said=document.createElement("span");
bar.className="find";input.type="search";input.autocomplete="off";said.setAttribute("role","status");said.className="soft";
label.append("Show rows with ",input);bar.append(label,said);
table.closest(".scroll").before(bar);
const texts=[...body.rows].map(row=>[row,row.textContent.toLowerCase()]);
input.addEventListener("input",()=>{
const words=input.value.toLowerCase().split(/\s+/).filter(Boolean);
let shown=0;
for(const [row,text] of texts){row.hidden=!words.every(w=>text.includes(w));if(!row.hidden)shown+=1}
said.textContent=words.length?shown+" of "+all+" rows":"";
});
}
}
addEventListener("beforeprint",()=>{for(const d of document.querySelectorAll("details"))d.open=true});
})();
