try{var d=document.documentElement,l=localStorage;d.dataset.theme=l.theme||"";d.dataset.size=l.size||"";d.dataset.js="1"}catch(e){}
