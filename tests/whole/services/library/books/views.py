from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render

from books.models import Book


@login_required
def shelf(request):
    return render(request, "shelf.html", {"books": Book.objects.select_related("author").order_by("pk")[:20]})


@login_required
def book(request, pk):
    return render(request, "book.html", {"book": get_object_or_404(Book, pk=pk)})
